"""``latchpin login`` and ``latchpin logout``: a person's own programs get tokens for an MCP endpoint elsewhere.

Tokens go to stdout, alone on one line, and only where ``--print-token`` asks for one; words go to stderr. Nothing is
read from the terminal, so that both work without one.
"""

from __future__ import annotations

import platform
import sys
import time
import webbrowser
from datetime import UTC, datetime, timedelta
from typing import Annotated

import httpx
import typer
from latchpin.errors import SignInFailed
from latchpin.sdk.commands import say
from latchpin.sdk.oauth import read_claims

from latchpin_authorization_server.login.answers import Refused, Tokens
from latchpin_authorization_server.login.keeping import Keeper, Login, find_folder, find_keyring
from latchpin_authorization_server.login.loopback import listening
from latchpin_authorization_server.login.place import Place, check_place_url, discover
from latchpin_authorization_server.login.protocol import (
    begin_code,
    end,
    is_known,
    is_taken,
    redeem_code,
    refresh,
    register,
    wait_for_device,
)

__all__ = ["app"]

app = typer.Typer()

PATIENCE = timedelta(minutes=10)
"""How long a browser may take to come back."""
_RENEWED_BEFORE = timedelta(seconds=60)
"""A token that is printed is good for at least so long, unless it never was."""

_NAMED = {"user-agent": "latchpin-login"}
"""What the page reads that a device's person judges."""

Where = Annotated[str | None, typer.Argument(metavar="[URL]", help="Of an MCP endpoint; without it, the only one.")]
InFile = Annotated[bool, typer.Option("--file", help="Keep the tokens in a file, though there is a keyring.")]


@app.command()
def login(
    url: Where = None,
    device: Annotated[bool, typer.Option("--device", help="Show a code to type in a browser elsewhere.")] = False,
    print_token: Annotated[bool, typer.Option("--print-token", help="Print the access token, renewed first.")] = False,
    client_id: Annotated[str | None, typer.Option(help="An entered client; else one registers itself.")] = None,
    in_file: InFile = False,
) -> None:
    """Sign in at a Latchpin that runs elsewhere, for programs of your own.

    A browser opens for it; with --device, any browser will do. The tokens are kept in the system's keyring, or in a
    file that only you can read. With --print-token, you are asked nothing: the token of the earlier sign-in is printed
    if it is still taken. Exits with 1 if there is none, or it has ended.
    """
    keeper = Keeper(find_folder(), None if in_file else find_keyring())
    with httpx.Client(headers=_NAMED) as http:
        if print_token:
            sys.stdout.write(_renewed(http, keeper, _choose(keeper, url)).tokens.access_token + "\n")
            return
        place = discover(http, check_place_url(url) if url else _only(keeper))
        named = client_id or _find_client(http, keeper, place)
        tokens = _by_device(http, place, named) if device else _by_browser(http, place, named)
    signed_in = Login(place.url, place.issuer, place.token, place.revocation, named, _whose(tokens), tokens)
    kept = keeper.save(signed_in)
    say(f"Signed in to {signed_in.url} as {signed_in.email}. The tokens are kept {kept}.")
    say(f"For a program: latchpin login --print-token {signed_in.url}")


@app.command()
def logout(
    url: Where = None,
    everywhere: Annotated[bool, typer.Option("--all", help="Sign out of each.")] = False,
) -> None:
    """End what 'latchpin login' began: there, and on this machine.

    Exits with 1 if a server could not be told; on this machine it is forgotten nevertheless.
    """
    keeper = Keeper(find_folder(), find_keyring())
    untold = []
    with httpx.Client(headers=_NAMED) as http:
        for each in keeper.urls() if everywhere else [_choose(keeper, url)]:
            try:
                _end(http, keeper, each)
                say(f"Signed out of {each}.")
            except SignInFailed as exc:
                untold.append(f"{each}: {exc.in_full}")
            keeper.forget(each)
    if untold:
        raise SignInFailed(
            f"forgotten here, but the server was not told: {'; '.join(untold)}",
            remedy="End it there: My applications.",
        )


def _find_client(http: httpx.Client, keeper: Keeper, place: Place) -> str:
    """The client that this program is there: the earlier one, or a new one where that is not known any more."""
    known = keeper.client_at(place.issuer)
    if known and is_known(http, place, known):
        return known
    return register(http, place, name=f"latchpin login on {platform.node() or 'a computer'}")


def _by_browser(http: httpx.Client, place: Place, client_id: str) -> Tokens:
    with listening() as loopback:
        request = begin_code(place, client_id, port=loopback.port)
        loopback.expect(request.state)
        opened = webbrowser.open(request.url)
        say("Go on in the browser." if opened else "Open this in a browser on this machine, or use --device:")
        say(request.url)
        answer = loopback.wait(PATIENCE)
    return redeem_code(http, place, client_id, request, answer, now=_now())


def _by_device(http: httpx.Client, place: Place, client_id: str) -> Tokens:
    def tell(page: str, code: str, lifetime: timedelta) -> None:
        say(f"Open {page} in any browser, and type this code within {lifetime.seconds // 60} minutes:")
        say(code)

    return wait_for_device(http, place, client_id, tell=tell, pause=time.sleep, clock=_now)


def _renewed(http: httpx.Client, keeper: Keeper, url: str) -> Login:
    """The login at ``url``, with an access token that is taken, and good for a while."""
    held = keeper.get(url)
    if held is None:
        raise _not_signed_in(url)
    if held.tokens.expires_at - _now() > _RENEWED_BEFORE and is_taken(http, url, held.tokens):
        return held
    if not held.tokens.refresh_token:
        raise SignInFailed(f"the token for {url} has ended", remedy=f"Run: latchpin login {url}")
    try:
        tokens = refresh(http, held.token, held.client_id, held.tokens, now=_now())
    except Refused as exc:
        raise SignInFailed(f"the sign-in to {url} has ended: {exc.in_full}", remedy=f"latchpin login {url}") from exc
    renewed = Login(held.url, held.issuer, held.token, held.revocation, held.client_id, held.email, tokens)
    keeper.save(renewed)
    return renewed


def _end(http: httpx.Client, keeper: Keeper, url: str) -> None:
    held = keeper.get(url)
    if held is None:
        raise _not_signed_in(url)
    end(http, held.revocation, held.client_id, held.tokens)


def _choose(keeper: Keeper, url: str | None) -> str:
    """Which login is meant: that at ``url`` or at the endpoint of all servers below it, or the only one."""
    if url is None:
        return _only(keeper)
    wanted, known = check_place_url(url), keeper.urls()
    return next((each for each in (wanted, f"{wanted}/mcp") if each in known), wanted)


def _only(keeper: Keeper) -> str:
    match keeper.urls():
        case [url]:
            return url
        case []:
            raise SignInFailed("nobody is signed in from here", remedy="Give the URL: latchpin login URL")
        case several:
            raise SignInFailed(f"say which is meant: {', '.join(several)}", remedy="Give its URL.")


def _whose(tokens: Tokens) -> str:
    """The address that the token names: for words only, since nothing proves it here."""
    email = read_claims(tokens.access_token).get("email")
    return email if isinstance(email, str) and email.isprintable() else "somebody"


def _not_signed_in(url: str) -> SignInFailed:
    return SignInFailed(f"nobody is signed in to {url} from here", remedy=f"Run: latchpin login {url}")


def _now() -> datetime:
    return datetime.now(UTC)
