"""What an authorization goes through, step by step: a closed list, each step with exactly its own facts.

What is not a field here cannot be recorded: no secret, code, state, token or query. What other servers choose (issuers,
scopes, client ids) is cut to a length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from latchpin.model.step_names import Phase, StepName

__all__ = [
    "Begun",
    "Consumed",
    "Exchanged",
    "StepFacts",
    "Failed",
    "Redirected",
    "Returned",
    "Stored",
    "TokensSealed",
    "ToolsFetched",
    "Verified",
]

LONGEST_TEXT = 500
MOST_WORDS = 20


class _Foreign:
    """StepFacts with text that somebody else chose: it is cut, so that no record is larger than we decide."""

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
    """It ended here.

    Attributes:
        cause: the error's code.
        happened: what happened in this case.
        internal: that is about our stores and settings: for administrators.
        provider_error: the provider's own code, if it gave one.
        issued_by: the process that made the state, at a callback.
    """

    step: ClassVar[StepName] = "failed"
    during: Phase
    cause: str
    status: int
    happened: str
    internal: bool
    provider_error: str | None
    issued_by: str | None


StepFacts: TypeAlias = (
    Begun | Stored | Redirected | Returned | Verified | Consumed | Exchanged | TokensSealed | ToolsFetched | Failed
)
