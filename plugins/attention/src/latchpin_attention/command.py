"""``latchpin attention``: the connections that need somebody."""

from __future__ import annotations

from typing import Annotated

import typer
from latchpin.model import COMPANY
from latchpin.sdk.commands import opened, print_json, print_table, run, say

__all__ = ["app"]

app = typer.Typer(name="attention", help="List connections that need somebody.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """List connections that need somebody."""


@app.command("list")
def list_needs(
    user: Annotated[str, typer.Option(help="Only those of this address.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the connections that need somebody to authorize again, grant more or enter a key; longest first."""

    async def work() -> list[dict[str, object]]:
        from latchpin_attention.finding import find_needs  # noqa: PLC0415  the help does without the gateway
        from latchpin_attention.routes import describe  # noqa: PLC0415

        async with opened() as application:
            needs = await find_needs(application)
            return [describe(application, each) for each in needs if user.lower() in ("", each.owner)]

    rows = run(work())
    if as_json:
        print_json({"needs": rows, "total": len(rows)})
    elif rows:
        print_table(
            ["since", "user", "gateway", "why"],
            [[str(each["since"])[:16], _who(each), str(each["gateway_name"]), str(each["message"])] for each in rows],
        )
    else:
        say("No connection needs its person.")


def _who(row: dict[str, object]) -> str:
    owner = "shared" if row["app_user_email"] == COMPANY else str(row["app_user_email"])
    return f"{owner} ({row['account']})" if row["account"] else owner
