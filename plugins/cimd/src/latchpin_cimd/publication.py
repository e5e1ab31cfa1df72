"""Which client is published, by the settings; pure, so that the registrar and the routes cannot differ."""

from __future__ import annotations

from urllib.parse import urlsplit

from latchpin.sdk.urls import split_origin

from latchpin_cimd.document import PATH, PublishedClient, find_obstacle
from latchpin_cimd.settings import CimdSettings

__all__ = ["build_client"]


def build_client(settings: CimdSettings, base_url: str) -> tuple[PublishedClient | None, str]:
    """The client and an empty text, or None and the reason why there is none.

    Args:
        settings: the plugin's.
        base_url: BASE_URL, without a last slash.
    """
    if not settings.cimd_enabled:
        return None, "CIMD_ENABLED is false"
    url = settings.cimd_url or f"{base_url}{PATH}"
    obstacle = find_obstacle(url)
    if obstacle is not None:
        return None, obstacle
    client = PublishedClient(
        client_id=url,
        client_name=settings.cimd_client_name,
        client_uri=_page_of(url, base_url),
        redirect_uris=(f"{base_url}/oauth/callback",),
        auth_method=settings.cimd_token_endpoint_auth_method,
    )
    return client, ""


def _page_of(url: str, base_url: str) -> str:
    """The page about the client: at the document's own origin, as servers compare the two (RFC 7591 section 5)."""
    parts = urlsplit(url)
    return base_url if split_origin(url) == split_origin(base_url) else f"{parts.scheme}://{parts.netloc}"
