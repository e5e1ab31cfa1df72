"""Whom we trust over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["build_ssl_context", "find_roots"]


def build_ssl_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Give the TLS context that trusts SSL_CERT_FILE and SSL_CERT_DIR, else the system's roots, else certifi's.

    A process has one for the same roots: reading them takes tens of milliseconds and a megabyte.
    """
    return _trusting(environment.get("SSL_CERT_FILE") or None, environment.get("SSL_CERT_DIR") or None)


@cache
def _trusting(file: str | None, folder: str | None) -> ssl.SSLContext:
    if not file and not folder:
        paths = ssl.get_default_verify_paths()
        if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
            import certifi  # noqa: PLC0415  only where the system has no roots

            file = certifi.where()
    return ssl.create_default_context(cafile=file, capath=folder)


def find_roots(environment: Mapping[str, str]) -> str | None:
    """The file of the roots that ``build_ssl_context`` trusts, for programs that do not look for them themselves.

    None where they are in a folder alone.
    """
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file or folder:
        return file or None
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).iterdir()):
        return None
    import certifi  # noqa: PLC0415  only where the system has no roots

    return certifi.where()
