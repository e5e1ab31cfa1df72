"""The data planes that can be configured."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from latchpin_edge.envoy import render_envoy, render_envoy_files
from latchpin_edge.nginx import render_nginx
from latchpin_edge.plan import Plan
from latchpin_edge.ways import Way

__all__ = ["Kind", "render", "render_files", "worker_ids"]

_NOBODY = "nobody"


class Kind(StrEnum):
    """A data plane."""

    NGINX = "nginx"
    ENVOY = "envoy"


def render(kind: Kind, plan: Plan) -> str:
    """The configuration of a data plane that the user of this process starts."""
    if kind is Kind.ENVOY:
        return render_envoy(plan)
    ids = worker_ids()
    user = "" if ids is None else f"{pwd.getpwuid(ids[0]).pw_name} {grp.getgrgid(ids[1]).gr_name}"
    return render_nginx(plan, user=user)


def render_files(kind: Kind, plan: Plan, output: Path, left: Sequence[Way] = ()) -> list[tuple[Path, str]]:
    """What a running data plane reads anew, in the order in which it is to be written.

    Args:
        kind: which.
        plan: what is configured.
        output: the file that it is started with.
        left: ways that gateways had until lately; nginx serves by a whole configuration at a time, and needs none.
    """
    return render_envoy_files(plan, output, left) if kind is Kind.ENVOY else [(output, render(kind, plan))]


def worker_ids(kind: Kind = Kind.NGINX) -> tuple[int, int] | None:
    """The uid and gid of nginx's workers where a superuser starts it; None where they are the user's own."""
    if kind is not Kind.NGINX or os.geteuid() != 0:
        return None
    found = pwd.getpwnam(_NOBODY)
    return found.pw_uid, found.pw_gid
