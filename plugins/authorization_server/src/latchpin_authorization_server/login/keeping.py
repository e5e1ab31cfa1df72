"""Keeps what ``latchpin login`` got: in the system's keyring, or in a file that its owner alone can read.

Each login has a file of its own, which says where it is and which client it is. The tokens stand in it only where
there is no keyring.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from latchpin.errors import SignInFailed

from latchpin_authorization_server.login.answers import Tokens

__all__ = ["Keeper", "Login", "find_folder", "find_keyring"]

SERVICE = "latchpin"
"""What the entries are called in the keyring."""
_FACTS = ("url", "issuer", "token", "revocation", "client_id", "email")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in.

    Attributes:
        url: the MCP endpoint.
        issuer, token, revocation: the authorization server and its endpoints.
        client_id: this program there.
        email: who signed in, as the token says.
    """

    url: str
    issuer: str
    token: str
    revocation: str
    client_id: str
    email: str
    tokens: Tokens


class Keeper:
    """Keeps logins.

    Args:
        folder: of their files.
        keyring: the module, where the system has one that works; None: tokens go into the files.
    """

    def __init__(self, folder: Path, keyring: Any | None) -> None:  # noqa: ANN401  an optional library's module
        self._folder = folder
        self._keyring = keyring

    def urls(self) -> list[str]:
        """The endpoints that somebody is signed in to."""
        return sorted(str(self._read(path)["url"]) for path in self._folder.glob("*.json"))

    def client_at(self, issuer: str) -> str:
        """The client that this program is at an authorization server; ``""`` if none is known."""
        for path in sorted(self._folder.glob("*.json")):
            with suppress(SignInFailed):  # signing in again mends it
                held = self._read(path)
                if held["issuer"] == issuer:
                    return str(held["client_id"])
        return ""

    def save(self, login: Login) -> str:
        """Keep a login in the place of an earlier one; where its tokens are, in words.

        Raises:
            SignInFailed: the file cannot be written.
        """
        texts = {"access_token": login.tokens.access_token, "refresh_token": login.tokens.refresh_token}
        in_keyring = self._into_keyring(login.url, json.dumps(texts))
        document = {name: getattr(login, name) for name in _FACTS}
        document["expires_at"] = login.tokens.expires_at.isoformat()
        path = self._path(login.url)
        self._write(path, document if in_keyring else document | texts)
        return "in the system's keyring" if in_keyring else f"in {path}, which only you can read"

    def get(self, url: str) -> Login | None:
        """Look. None if nobody is signed in there.

        Raises:
            SignInFailed: what is kept cannot be read, or others can read it.
        """
        path = self._path(url)
        if not path.exists():
            return None
        held = self._read(path)
        texts = held if "access_token" in held else self._from_keyring(url)
        try:
            tokens = Tokens(
                texts["access_token"], datetime.fromisoformat(held["expires_at"]), texts.get("refresh_token", "")
            )
            facts = {name: str(held[name]) for name in _FACTS}
        except (KeyError, TypeError, ValueError):
            raise self._unreadable(path) from None
        return Login(tokens=tokens, **facts)

    def forget(self, url: str) -> None:
        """Forget it, in both places."""
        if self._keyring is not None:
            with suppress(self._keyring.errors.KeyringError):
                self._keyring.delete_password(SERVICE, url)
        self._path(url).unlink(missing_ok=True)

    def _into_keyring(self, url: str, text: str) -> bool:
        if self._keyring is None:
            return False
        try:
            self._keyring.set_password(SERVICE, url, text)
        except self._keyring.errors.KeyringError:  # locked, or there is none after all
            return False
        return True

    def _from_keyring(self, url: str) -> dict[str, Any]:
        text: str | None = None
        if self._keyring is not None:
            try:
                text = self._keyring.get_password(SERVICE, url)
            except self._keyring.errors.KeyringError as exc:
                raise SignInFailed("the system's keyring cannot be read", remedy="Unlock it.") from exc
        if text is None:
            raise SignInFailed(f"the tokens for {url} are not in the system's keyring", remedy="Sign in again.")
        return dict(json.loads(text))

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def _write(self, path: Path, document: dict[str, Any]) -> None:
        whole = path.with_suffix(f".{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            whole.touch(mode=0o600, exist_ok=False)
            whole.write_text(json.dumps(document, indent=2), encoding="utf-8")
            whole.replace(path)
        except OSError as exc:
            whole.unlink(missing_ok=True)
            raise SignInFailed(f"{path} cannot be written: {exc.strerror}") from exc

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            if os.name == "posix" and path.stat().st_mode & _OTHERS:
                raise SignInFailed(f"others can read {path}", remedy=f"Run: chmod 600 {path}, or sign in again.")
            held = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise self._unreadable(path) from None
        if not isinstance(held, dict) or not {"url", "issuer", "client_id"} <= set(held):
            raise self._unreadable(path)
        return held

    def _unreadable(self, path: Path) -> SignInFailed:
        return SignInFailed(f"{path} is not what was written there", remedy="Remove it, and sign in again.")


def find_folder() -> Path:
    """Where the files are: below the folder for settings of one's programs."""
    named = os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".config"
    return base / "latchpin" / "logins"


def find_keyring() -> Any | None:  # noqa: ANN401  an optional library's module
    """The system's keyring; None where the library is not installed or finds none that works."""
    try:
        keyring = importlib.import_module("keyring")
        importlib.import_module("keyring.errors")
    except ImportError:
        return None
    return keyring if keyring.get_keyring().priority > 0 else None
