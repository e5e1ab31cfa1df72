"""What was found for a gateway, for people: one line for each fact, with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from latchpin.sdk.commands import print_table

__all__ = ["lines_of", "print_inspection"]


def print_inspection(found: Mapping[str, Any]) -> None:
    """Print what ``Discovered.describe`` says."""
    print_table((), list(lines_of(found)))


def lines_of(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each fact and its value, in the order in which they were found out."""
    for number, step in enumerate(found.get("steps", ())):
        yield "asked" if not number else "", step
    if "issuer" in found:
        yield from _server(found)
    if "registration" in found:
        yield from _registration(found["registration"])
    yield "redirect URI", str(found["redirect_uri"])
    if found["why"]:
        yield "cannot go on", str(found["why"])
        yield "to do", str(found["remedy"])


def _server(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    challenge = found["challenge"]
    if challenge["asked_for_a_token"]:
        scopes = " ".join(challenge["scopes"])
        yield "challenge", f"401, asking for {scopes}" if scopes else "401, naming no scopes"
    for key in ("resource", "issuer"):
        yield key, f"{found[key]['value'] or 'none'} ({found[key]['from']})"
    yield "server metadata", str(found["source"])
    for key in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
        yield key.replace("_", " "), str(found[key] or "none")
    yield "scopes", f"{' '.join(found['scopes']['value']) or 'none'} ({found['scopes']['from']})"
    tokens = found["tokens"]
    yield "tokens", f"{tokens['kind']} ({tokens['from']}); vouched for by: {tokens['vouched_for_by'].replace('-', ' ')}"
    if (provider := found["provider"]) is not None and provider["settings"]:
        for key, value in provider["settings"].items():
            yield key.replace("_", " "), f"{_shown(value)} ({provider['from']}: {provider['label']})"
    yield "pinned issuer", str(found["pinned_issuer"] or "none yet; the first authorization pins it")
    yield "trust", str(found["trust"])


def _registration(ways: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kept = f"; registered as {ways['registered_client_id']}" if ways["registered_client_id"] else ""
    yield "client", f"{ways['way'] or 'no way to one'}{kept}"
    for label, obstacle in ways["others"].items():
        yield "", f"not {label}: {obstacle}"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={held}" for key, held in value.items())
    return "yes" if value is True else str(value)
