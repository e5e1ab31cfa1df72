"""Its routes."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from latchpin.errors import InvalidRequest
from latchpin.sdk.settings import load
from latchpin.sdk.web import CurrentApplication, SignedInCaller, WritingCaller, problems, read_json

from acme_ledger.entries import add, of
from acme_ledger.settings import LedgerSettings

router = APIRouter()


@router.get("/acme/ledger", responses=problems(401))
async def show(caller: SignedInCaller, application: CurrentApplication) -> Response:
    """The caller's entries."""
    return JSONResponse({"via": caller.via, "entries": await of(application.services.context, caller.email)})


@router.post("/acme/ledger", responses=problems(400, 401))
async def put(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """Make an entry."""
    body = await read_json(request)
    if not isinstance(body, dict) or body.get("currency") not in load(LedgerSettings).acme_currencies:
        raise InvalidRequest("that is no currency of the ledger", remedy="Name one of ACME_CURRENCIES.")
    await add(application.services.context, str(body["name"]), caller.email, str(body["text"]), body["currency"])
    return JSONResponse({}, 201)
