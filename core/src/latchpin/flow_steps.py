"""What an authorization goes through, step by step: a closed list, each step with exactly its own facts.

What is not a field here cannot be recorded: no secret, code, state, token or query. What other servers choose (issuers,
scopes, client ids) is cut to a length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

__all__ = [
    "FACTS",
    "MOST_STEPS",
    "Begun",
    "Consumed",
    "Exchanged",
    "Facts",
    "Failed",
    "FlowOutcome",
    "FlowQuery",
    "FlowStep",
    "FlowSummary",
    "Redirected",
    "Returned",
    "StepName",
    "StepOutcome",
    "Stored",
    "TokensSealed",
    "ToolsFetched",
    "Verified",
    "in_order",
    "summarize",
]

StepName = Literal[
    "begun",
    "stored",
    "redirected",
    "returned",
    "verified",
    "consumed",
    "exchanged",
    "sealed",
    "tools-fetched",
    "failed",
]
StepOutcome = Literal["done", "failed"]
FlowOutcome = Literal["pending", "completed", "failed"]

MOST_STEPS = 200
"""Steps that one flow keeps: whoever repeats a callback without end fills no store."""

LONGEST_TEXT = 200
MOST_WORDS = 20


class _Foreign:
    """Facts with text that somebody else chose: it is cut, so that no record is larger than we decide."""

    __slots__: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, str) and len(value) > LONGEST_TEXT:
                object.__setattr__(self, name, f"{value[:LONGEST_TEXT]}...")
            elif isinstance(value, tuple) and (len(value) > MOST_WORDS or any(len(w) > LONGEST_TEXT for w in value)):
                object.__setattr__(self, name, tuple(word[:LONGEST_TEXT] for word in value[:MOST_WORDS]))


@dataclass(frozen=True, slots=True)
class Begun:
    """A signed-in user asked to authorize. ``via`` is how the user was known."""

    step: ClassVar[StepName] = "begun"
    via: str


@dataclass(frozen=True, slots=True)
class Stored(_Foreign):
    """The state is kept. Finding the server and the client came before, and is in the step's duration."""

    step: ClassVar[StepName] = "stored"
    store: str
    lifetime_seconds: int
    issuer: str | None
    discovery_seconds: float
    client_seconds: float


@dataclass(frozen=True, slots=True)
class Redirected(_Foreign):
    """The browser was sent to ``server`` (a host)."""

    step: ClassVar[StepName] = "redirected"
    server: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge_method: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A callback with a state of ours came. ``away_seconds`` is since the state was made, ``issued_by`` who made it."""

    step: ClassVar[StepName] = "returned"
    answer: Literal["code", "error"]
    away_seconds: float
    issued_by: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Signature, browser, user and age hold."""

    step: ClassVar[StepName] = "verified"
    key_id: str
    signed_in: bool


@dataclass(frozen=True, slots=True)
class Consumed:
    """The store gave the state out, once. ``fits``: gateway and issuer are right and the provider did not refuse."""

    step: ClassVar[StepName] = "consumed"
    store: str
    fits: bool


@dataclass(frozen=True, slots=True)
class Exchanged(_Foreign):
    """The token endpoint at ``server`` (a host) gave tokens for the code."""

    step: ClassVar[StepName] = "exchanged"
    server: str
    auth_method: str
    lifetime_seconds: int
    refresh_token: bool
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokensSealed:
    """The tokens are sealed and kept; ``replaced`` says whether the user had some before."""

    step: ClassVar[StepName] = "sealed"
    store: str
    replaced: bool


@dataclass(frozen=True, slots=True)
class ToolsFetched:
    """The MCP server's tools were fetched with the flow's token."""

    step: ClassVar[StepName] = "tools-fetched"
    count: int
    created: int
    updated: int
    removed: int


@dataclass(frozen=True, slots=True)
class Failed(_Foreign):
    """It ended here. ``cause`` is the error's code, ``provider_error`` the provider's own code if it gave one."""

    step: ClassVar[StepName] = "failed"
    cause: str
    status: int
    provider_error: str | None


Facts: TypeAlias = (
    Begun | Stored | Redirected | Returned | Verified | Consumed | Exchanged | TokensSealed | ToolsFetched | Failed
)

FACTS: dict[str, type[Facts]] = {
    kind.step: kind
    for kind in (
        Begun,
        Stored,
        Redirected,
        Returned,
        Verified,
        Consumed,
        Exchanged,
        TokensSealed,
        ToolsFetched,
        Failed,
    )
}
"""Each step's facts by its name, in the order of a flow."""

_RANKS = {name: rank for rank, name in enumerate(FACTS)}


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step of one flow.

    Attributes:
        flow_id: 32 hexadecimal digits; ``""`` where no flow is proven. Such a step is told and never kept.
        gateway_id: as the flow was begun for, ``""`` as above.
        app_user_email: the user who began the flow, ``""`` as above.
        at: when the step was done.
        seconds: how long it took, from the step before it in the same request.
        worker: the process that did it.
        facts: which step it is, and what is known about it.
    """

    flow_id: str
    gateway_id: str
    app_user_email: str
    at: datetime
    seconds: float
    worker: str
    facts: Facts

    @property
    def step(self) -> StepName:
        """The step's name."""
        return self.facts.step

    @property
    def outcome(self) -> StepOutcome:
        """Whether the step was done or is where the flow failed."""
        return "failed" if isinstance(self.facts, Failed) else "done"

    @property
    def cause(self) -> str | None:
        """The error code of a failure."""
        return self.facts.cause if isinstance(self.facts, Failed) else None

    def shown_facts(self) -> dict[str, str | int | float | bool | tuple[str, ...] | None]:
        """The facts by name."""
        return {each.name: getattr(self.facts, each.name) for each in fields(self.facts)}


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """One flow in a list.

    Attributes:
        began_at: its first step that is kept.
        last_at: its last step.
        outcome: completed once its tokens are kept, whatever comes after; else failed if a step failed.
        cause: the error code of its first failure. A completed flow has one if a callback was repeated, for example.
        steps: how many are kept.
    """

    flow_id: str
    gateway_id: str
    app_user_email: str
    began_at: datetime
    last_at: datetime
    outcome: FlowOutcome
    cause: str | None
    steps: int


@dataclass(frozen=True, slots=True)
class FlowQuery:
    """Which flows to list: those that match every field that is not None. ``before`` compares the last step's time."""

    gateway_id: str | None = None
    app_user_email: str | None = None
    outcome: FlowOutcome | None = None
    cause: str | None = None
    before: datetime | None = None

    def matches(self, flow: FlowSummary) -> bool:
        """Whether ``flow`` is one of them."""
        return (
            self.gateway_id in {None, flow.gateway_id}
            and self.app_user_email in {None, flow.app_user_email}
            and self.outcome in {None, flow.outcome}
            and self.cause in {None, flow.cause}
            and (self.before is None or flow.last_at < self.before)
        )


def in_order(steps: Sequence[FlowStep]) -> list[FlowStep]:
    """``steps`` as they happened; of several at one moment, in the order of a flow."""
    return sorted(steps, key=lambda step: (step.at, _RANKS[step.step]))


def summarize(steps: Sequence[FlowStep]) -> FlowSummary:
    """What a list shows of the flow that ``steps`` (one or more, in their order) belong to."""
    first, last = steps[0], steps[-1]
    done = {step.step for step in steps}
    outcome: FlowOutcome = "failed" if "failed" in done else "pending"
    if done & {"sealed", "tools-fetched"}:
        outcome = "completed"
    return FlowSummary(
        flow_id=first.flow_id,
        gateway_id=first.gateway_id,
        app_user_email=first.app_user_email,
        began_at=first.at,
        last_at=last.at,
        outcome=outcome,
        cause=next((step.cause for step in steps if step.cause is not None), None),
        steps=len(steps),
    )
