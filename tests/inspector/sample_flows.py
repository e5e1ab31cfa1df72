"""Flows to be kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.model import flow_steps as told
from latchpin_flows.steps import FlowStep
from latchpin_testing.samples import new_id

__all__ = ["sample_flow"]


def sample_flow(
    now: datetime,
    *,
    gateway_id: str | None = None,
    app_user_email: str = "ada@example.com",
    issuer: str | None = "https://as.example.com/tenant/1",
    failed: bool = False,
) -> list[FlowStep]:
    """The steps of a completed flow that began ``now``, one a second, by two workers; ``failed`` adds a replay."""
    scopes = ("mcp:read", "openid")
    steps: list[told.StepFacts] = [
        told.Begun(via="session"),
        told.Stored("Redis", 300, issuer, 0.125, 0.25),
        told.Redirected("as.example.com", "client-7", "https://gateway.example.com/oauth/callback", scopes, "S256"),
        told.Returned(answer="code", away_seconds=12.5, issued_by="worker-1"),
        told.Verified(key_id="k1", signed_in=True),
        told.Consumed(store="Redis", fits=True),
        told.Exchanged("as.example.com", "client_secret_basic", 3600, True, scopes),
        told.TokensSealed(store="database", replaced=False),
        told.ToolsFetched(count=3, created=2, updated=1, removed=0),
    ]
    if failed:
        steps.append(told.Failed("callback", "state-used", 400, "it was used before", False, None, "worker-1"))
    names = (new_id(), new_id() if gateway_id is None else gateway_id, app_user_email)
    return [
        FlowStep(
            *names,
            now + timedelta(seconds=number),
            0.001 * number,
            f"worker-{1 + number // 3}",
            step.step,
            {name: getattr(step, name) for name in step.__slots__},
        )
        for number, step in enumerate(steps)
    ]
