"""The page of connections that need their person: one's own first, then for administrators everybody's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.model import COMPANY
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import WITH_SCRIPTS, CurrentApplication, SignedInCaller, TimeShown, frame, render

from latchpin_attention.finding import find_needs, needs_of
from latchpin_attention.need import Need

__all__ = ["NeedRow", "router"]

router = APIRouter(include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A need as the page shows it.

    Attributes:
        kind: how its pill looks.
        verb: what its person does.
        link: where, from the gateway's root.
    """

    gateway_id: str
    gateway: str
    owner: str
    shared: bool
    connected_by: str | None
    account: str
    kind: str
    words: str
    scopes: tuple[str, ...]
    since: TimeShown
    verb: str
    link: str

    @classmethod
    def of(cls, need: Need, application: Application) -> NeedRow:
        """``need`` as it is seen now."""
        chosen = f"?account={quote(need.account, safe='')}" if need.account else ""
        return cls(
            gateway_id=need.gateway_id,
            gateway=need.gateway_name,
            owner=need.owner,
            shared=need.owner == COMPANY,
            connected_by=need.connected_by,
            account=need.account,
            kind="needs_reauth" if need.broken else "near_expiry",
            words=need.words,
            scopes=need.wanted,
            since=TimeShown.of(need.since, application.services.clock()),
            verb="Enter a key" if need.keyed else "Authorize",
            link=f"/oauth/authorize/{need.gateway_id}{chosen}",
        )


@router.get("/admin/attention")
async def show_needs(
    request: Request, caller: SignedInCaller, application: CurrentApplication, q: str = ""
) -> Response:
    """What the caller can mend; for administrators also what others have to, with ``q`` in it."""
    own = await needs_of(application, caller)
    mine, wanted = {each.id for each in own}, q.strip().lower()[:320]
    others = [each for each in await find_needs(application) if each.id not in mine] if caller.is_admin else []
    found = [each for each in others if wanted in each.owner.lower() or wanted in each.gateway_name.lower()]
    return render(
        "attention",
        folder=TEMPLATES,
        headers=WITH_SCRIPTS,
        title="Needs attention",
        own=[NeedRow.of(each, application) for each in own],
        others=[NeedRow.of(each, application) for each in found[:MOST_ROWS]],
        found=len(found),
        total=len(others),
        wanted=q.strip()[:320],
        **await frame(request, caller),
    )
