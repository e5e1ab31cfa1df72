"""What an OpenID Connect provider says about itself, believed or not (OpenID Connect Discovery 1.0). No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from latchpin.errors import UpstreamUnreadable
from latchpin.model import Reply, ServerMetadata
from latchpin.sdk.identity import SIGNING_ALGORITHMS
from latchpin.sdk.oauth import Members, parse_server_metadata, parse_url, parse_words

__all__ = ["OpenIdProvider", "build_metadata_url", "parse_provider"]

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """A provider, its metadata checked.

    Attributes:
        server: what every authorization server says.
        issuer: the one that was asked for.
        algorithms: those that may sign its ID tokens; asymmetric ones only.
        logs_out: it says by a back channel who signed out there.
    """

    server: ServerMetadata
    issuer: str
    authorization_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    algorithms: frozenset[str]
    logs_out: bool = False


def build_metadata_url(issuer: str) -> str:
    """Where an issuer's metadata is (section 4.1)."""
    return issuer.rstrip("/") + WELL_KNOWN


def parse_provider(reply: Reply, issuer: str, *, allow_http: bool) -> OpenIdProvider:
    """Read the metadata (section 4.3).

    Raises:
        DiscoveryFailed: it speaks for another issuer; they are compared character by character.
        UpstreamUnreadable: it is not metadata, or lacks what a sign-in needs.
    """
    server = parse_server_metadata(reply, issuer, allow_http=allow_http)
    jwks_uri = parse_url(server.extra, "jwks_uri", allow_http=allow_http)
    if server.authorization_endpoint is None or jwks_uri is None:
        raise UpstreamUnreadable("the metadata has no authorization_endpoint or no jwks_uri")
    named = parse_words(server.extra, "id_token_signing_alg_values_supported")
    algorithms = SIGNING_ALGORITHMS if named is None else SIGNING_ALGORITHMS & frozenset(named)
    if not algorithms:
        raise UpstreamUnreadable("the provider signs its ID tokens with no algorithm that has a published key")
    return OpenIdProvider(
        server=server,
        issuer=issuer,
        authorization_endpoint=server.authorization_endpoint,
        jwks_uri=jwks_uri,
        userinfo_endpoint=parse_url(server.extra, "userinfo_endpoint", allow_http=allow_http),
        end_session_endpoint=Members(server.extra, allow_http=allow_http).url("end_session_endpoint"),
        algorithms=algorithms,
        logs_out=server.extra.get("backchannel_logout_supported") is True,
    )
