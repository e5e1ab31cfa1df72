"""``/docs``: Swagger UI in the gateway's own frame, with files of its own and no script in the page."""

from __future__ import annotations

import re

import pytest
from latchpin_api_docs import plugin
from latchpin_api_docs.routes import router

from tests.web.conftest import HTML


@pytest.fixture(autouse=True)
def with_the_page(gateway):
    gateway.app.include_router(router)


async def test_it_stands_in_the_frame_of_who_is_signed_in(gateway, client):
    headers = HTML | await gateway.bearer("ann@example.com")
    page = (await client.get("/docs", headers=headers)).text
    assert '<header class="bar">' in page
    assert "ann@example.com" in page
    assert "ann@example.com" not in (await client.get("/docs", headers=HTML)).text


async def test_it_loads_only_files_of_ours(client):
    page = (await client.get("/docs", headers=HTML)).text
    files = set(re.findall(r'(?:src|href)="((?:/docs)?/static/[^"]+)"', page))
    own = {f"/docs/static/{name}" for name in ("docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js")}
    assert files == {"/static/latchpin.css", "/static/latchpin.svg", *own}
    for file in files:
        answer = await client.get(file)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=3600"
    assert not re.search(r"<script>|https?://", page)
    assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.")


async def test_it_has_a_policy_of_its_own_and_still_no_inline_script(client):
    policy = (await client.get("/docs")).headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert "script-src 'self';" in policy[0]


@pytest.mark.parametrize("name", ["nothing.css", "..%2froutes.py", "licenses", ".", "docs.css%00"])
async def test_no_other_file_can_be_had(client, name):
    assert (await client.get(f"/docs/static/{name}")).status_code == 404


def test_the_menu_links_to_it():
    (entry,) = plugin.latchpin_navigation()
    assert (entry.label, entry.path, entry.group, entry.admin_only) == ("API", "/docs", "system", False)
