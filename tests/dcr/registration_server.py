"""A small authorization server that registers and forgets clients, and does as it is told."""

import threading
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[dict], tuple[int, object]]


class RegistrationServer:
    """Counts what it is asked. ``answer`` replaces its ordinary reply to a registration."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: list[dict] = []
        self.forgotten: list[tuple[str, str]] = []
        self.answer: Answer | None = None
        self.forget_status = 204
        self._lock = threading.Lock()
        self.app = Starlette(
            routes=[
                Route("/register", self._register, methods=["POST"]),
                Route("/register/{client_id}", self._forget, methods=["DELETE"]),
            ]
        )

    def reply_to(self, wishes: dict) -> dict:
        """The ordinary client information response (RFC 7591 section 3.2.1)."""
        number = len(self.asked)
        reply = dict(wishes)
        reply |= {
            "client_id": f"client-{number}",
            "registration_client_uri": f"{self.base}/register/client-{number}",
            "registration_access_token": f"manage-{number}",
        }
        if wishes["token_endpoint_auth_method"] != "none":
            reply |= {"client_secret": f"secret-{number}", "client_secret_expires_at": 0}
        return reply

    async def _register(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/json"
        wishes = await request.json()
        with self._lock:
            self.asked.append(wishes)
            status, body = (201, self.reply_to(wishes)) if self.answer is None else self.answer(wishes)
        if isinstance(body, bytes):
            return Response(body, status, media_type="text/html")
        return JSONResponse(body, status)

    async def _forget(self, request: Request) -> Response:
        self.forgotten.append((request.path_params["client_id"], request.headers["authorization"]))
        return Response(status_code=self.forget_status)
