"""The router with the data plane's question."""

from __future__ import annotations

from fastapi import APIRouter
from latchpin.sdk.web import HotRoute

from latchpin_edge.asking import PATH, TokenQuestion

__all__ = ["make_router"]


def make_router() -> APIRouter:
    """A router of its own for each application: it opens the listener, and closes it."""
    question = TokenQuestion()
    router = APIRouter(lifespan=question.lifespan)
    router.routes.append(HotRoute(PATH, question, methods=["GET"]))
    return router
