"""A search for a gateway's authorization server and for a client there, as an authorization would make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from latchpin.errors import LatchpinError
from latchpin.model import Gateway
from latchpin.sdk.gateway import Application, Step, require_grant, subject_of

from latchpin_inspection.discovered import Discovered

__all__ = ["discover"]


def _tell_nobody(step: Step) -> None:
    """Nobody waits for single steps."""


async def discover(
    application: Application, gateway: Gateway, on_step: Callable[[Step], None] = _tell_nobody
) -> Discovered:
    """Search anew: what the gateway remembers may be over. It registers, pins and keeps nothing.

    Args:
        application: the gateway's scripts.
        gateway: which; one that is not kept yet will do.
        on_step: is told each request of the search when it is answered.
    """
    unasked, found, options = _unasked(application, gateway), None, None
    try:
        found = await application.servers.explore(gateway, on_step)
        found.require_scopes()
        require_grant(application.services, found.config)
        redirect_uri = found.config.redirect_uri or unasked.redirect_uri
        options = await application.clients.ways(gateway, found.metadata, redirect_uri, found.scopes)
        if options.chosen is None and options.kept is None:
            raise options.refusal()
        if found.config.grant_type == "authorization_code":
            found.require_authorization_endpoint()
    except LatchpinError as exc:
        return replace(unasked, found=found, options=options, obstacle=exc)
    return replace(unasked, found=found, options=options)


def _unasked(application: Application, gateway: Gateway) -> Discovered:
    services = application.services
    subject = subject_of(services, gateway.oauth) if gateway.oauth is not None else None
    whose = subject.vouched_for_by if subject is not None else "person"
    return Discovered(gateway, services.settings.redirect_uri, whose)
