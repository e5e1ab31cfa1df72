"""Why somebody may use a gateway and a tool, or may not: which entry and which rule decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latchpin.errors import InvalidRequest
from latchpin.model import GROUP, Caller, Gateway
from latchpin.sdk.gateway import may_use
from latchpin.sdk.identity import parse_email

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["AtGateway", "Explanation", "explain"]

UNKNOWN = "a rule goes by the tool's definition, which is not known here: the person lists their tools first"
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class AtGateway:
    """What holds at one gateway.

    Attributes:
        enters: the person may use the gateway, and ``entry`` says why.
        allowed: they may use the tool there.
        rule: what decided that; ``""`` where they may not use the gateway.
        ceiling: the only scopes that may be asked for; None: any.
    """

    gateway: Gateway
    enters: bool
    entry: str
    allowed: bool
    rule: str
    ceiling: tuple[str, ...] | None

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "gateway": self.gateway.id,
            "name": self.gateway.name,
            "may_use_gateway": self.enters,
            "entry": self.entry,
            "allowed": self.allowed,
            "rule": self.rule,
            "scope_ceiling": None if self.ceiling is None else list(self.ceiling),
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """What holds for one person and one tool.

    Attributes:
        groups: the person's, each with who says so.
        gateways: those that were asked about, or all.
    """

    email: str
    tool: str
    is_admin: bool
    groups: Mapping[str, tuple[str, ...]]
    gateways: Sequence[AtGateway]

    @property
    def allowed(self) -> bool:
        """At any of the gateways."""
        return any(each.allowed for each in self.gateways)

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "email": self.email,
            "tool": self.tool,
            "allowed": self.allowed,
            "administrator": self.is_admin,
            "groups": {name: list(sources) for name, sources in self.groups.items()},
            "gateways": [each.describe() for each in self.gateways],
        }


async def explain(application: Application, email: str, tool: str, gateways: Sequence[Gateway]) -> Explanation:
    """Say what holds now.

    Args:
        application: the gateway.
        email: whose.
        tool: as its server calls it.
        gateways: where.

    Raises:
        InvalidRequest: ``email`` is no address, or ``tool`` no name.
        BackendUnavailable: it cannot be said.
    """
    services = application.services
    address = parse_email(email)
    if not tool or len(tool) > LONGEST_NAME:
        raise InvalidRequest("name a tool, as its server calls it", remedy="The names are on the gateway's page.")
    caller = Caller(address, is_admin=address in services.settings.admin_emails)
    groups: dict[str, tuple[str, ...]] = {}
    for source, known in services.groups.items():
        for name in await known.of(caller):
            groups[name] = (*groups.get(name, ()), source)
    caller = Caller(address, is_admin=caller.is_admin, groups=frozenset(groups))
    found = [await _at(application, gateway, caller, tool) for gateway in gateways]
    return Explanation(address, tool, caller.is_admin, dict(sorted(groups.items())), found)


async def _at(application: Application, gateway: Gateway, caller: Caller, tool: str) -> AtGateway:
    ceiling = await application.scope_ceiling(gateway, caller)
    scopes = None if ceiling is None else tuple(sorted(ceiling))
    enters = may_use(gateway, caller)
    if not enters:
        return AtGateway(gateway, enters, "no entry of its allowed_users lets them in", False, "", scopes)
    allowed, rule = await _judge(application, gateway, caller, tool)
    return AtGateway(gateway, enters, _entry(gateway, caller), allowed, rule, scopes)


async def _judge(application: Application, gateway: Gateway, caller: Caller, tool: str) -> tuple[bool, str]:
    gate = await application.gates.of(gateway, caller)
    if gate is None:
        return True, "no rule is about them here"
    verdict = gate.judge(tool, None)
    if verdict is None:
        stored = await application.services.tools.list(gateway.id, caller.email)
        definition = next((each.definition for each in stored if each.name == tool), None)
        verdict = None if definition is None else gate.judge(tool, definition)
    return (False, UNKNOWN) if verdict is None else (verdict.allowed, verdict.rule)


def _entry(gateway: Gateway, caller: Caller) -> str:
    """By which entry they are let in."""
    if not gateway.allowed_users:
        return "its allowed_users are empty: everyone who is signed in"
    if caller.is_admin:
        return "an administrator"
    names = (caller.email, f"*@{caller.email.rpartition('@')[2]}", *(GROUP + name for name in sorted(caller.groups)))
    return next((name for name in names if name in gateway.allowed_users), "")
