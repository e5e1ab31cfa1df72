"""Where the secrets of files are: variables of the environment, files, and what plugins offer.

Who may change a file says where secrets go. So what may be referred to is bounded: none of Latchpin's own secrets, and
nothing outside ``CONFIG_REFERENCES``.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
from collections.abc import Collection, Mapping
from pathlib import Path

from latchpin.contracts import SecretScheme
from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import Application

from latchpin_config.regular_files import NotRegular, read_regular

__all__ = ["SecretSources", "schemes"]

LONGEST = 65_536
_SHORTEST_OWN = 8
"""Shorter ones would be found in anything."""
_NO_FILES = ("/proc/", "/sys/", "/dev/")


class SecretSources:
    """Reads secrets.

    Args:
        application: the running gateway, for what plugins offer.
        offered: the schemes, by name.
        allowed: patterns of references, as ``env:ACME_*``.
        own: variables that Latchpin itself reads, in upper case.
        own_secrets: what its own settings hold that is secret; no file refers to that, wherever else it stands.
    """

    def __init__(
        self,
        application: Application,
        offered: Mapping[str, SecretScheme],
        *,
        allowed: Collection[str],
        own: Collection[str],
        own_secrets: Collection[str] = (),
    ) -> None:
        self._application = application
        self._offered = offered
        self._allowed = allowed
        self._own = own
        self._own_secrets = tuple(each for each in own_secrets if len(each) >= _SHORTEST_OWN)

    async def read(self, scheme: str, rest: str) -> str:
        """The secret.

        Raises:
            InvalidRequest: there is none, or it may not be referred to; the text repeats nothing secret.
        """
        found = self._offered.get(scheme)
        if found is None:
            known = ", ".join(f"{name}:" for name in self._offered)
            raise InvalidRequest(f"no secret is read from {scheme}: here; known are {known}")
        if scheme == "env" and rest.upper() in self._own:
            raise InvalidRequest(f"{rest} is a setting of Latchpin itself, which no file refers to")
        # What leads around in a path would pass for what it is not.
        plain = posixpath.normpath(rest) if scheme == "file" else rest
        if not any(fnmatch.fnmatchcase(f"{scheme}:{plain}", pattern) for pattern in self._allowed):
            raise InvalidRequest(f"{scheme}:{rest[:200]} is outside CONFIG_REFERENCES")
        secret = await found.read(self._application, plain)
        if not secret.strip() or "\0" in secret or len(secret) > LONGEST:
            raise InvalidRequest(f"{scheme}:{rest[:200]} holds no secret: it is empty, longer than any, or no text")
        if any(each in secret for each in self._own_secrets):
            raise InvalidRequest(f"{scheme}:{rest[:200]} holds a secret of Latchpin itself, which goes nowhere")
        return secret


async def _read_variable(_application: object, name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise InvalidRequest(f"the variable {name[:200]} is not set where this runs")
    return value


async def _read_file(_application: object, name: str) -> str:
    return _text_of(name)


def _text_of(name: str) -> str:
    file = Path(name)
    if not file.is_absolute():
        raise InvalidRequest("file: needs the whole path of a file, as in file:/run/secrets/github")
    if os.path.realpath(file).startswith(_NO_FILES):
        raise InvalidRequest("file: reads nothing that is in /proc, /sys or /dev")
    try:
        text = read_regular(file, LONGEST + 1).decode("utf-8-sig")
    except NotRegular:
        raise InvalidRequest(f"{name[:200]} is no regular file") from None
    except OSError as exc:
        raise InvalidRequest(f"{name[:200]} cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:200]} is not text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def schemes() -> list[SecretScheme]:
    """Those that are always there."""
    return [
        SecretScheme("env", "a variable of the environment in which the command runs", _read_variable),
        SecretScheme("file", "the whole path of a file", _read_file),
    ]
