"""The data planes that can be configured."""

from __future__ import annotations

import grp
import os
import pwd
from enum import StrEnum

from latchpin_edge.nginx import render_nginx
from latchpin_edge.plan import Plan

__all__ = ["Kind", "render", "worker_ids"]

_NOBODY = "nobody"


class Kind(StrEnum):
    """A data plane."""

    NGINX = "nginx"


def render(kind: Kind, plan: Plan) -> str:
    """The configuration of a data plane that the user of this process starts."""
    del kind
    ids = worker_ids()
    user = "" if ids is None else f"{pwd.getpwuid(ids[0]).pw_name} {grp.getgrgid(ids[1]).gr_name}"
    return render_nginx(plan, user=user)


def worker_ids() -> tuple[int, int] | None:
    """The uid and gid of nginx's workers where a superuser starts it; None where they are the user's own."""
    if os.geteuid() != 0:
        return None
    found = pwd.getpwnam(_NOBODY)
    return found.pw_uid, found.pw_gid
