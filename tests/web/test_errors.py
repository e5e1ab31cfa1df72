"""Failures as problem documents and pages."""

import pytest

from tests.web.conftest import HTML

FIELDS = {"documentation", "type", "title", "status", "detail", "cause", "remedy", "request_id"}


@pytest.mark.parametrize(
    ("method", "path", "status", "cause"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("PATCH", "/me", 405, "invalid-request"),
        ("GET", "/me", 401, "not-signed-in"),
        ("GET", "/fails/store", 503, "store-unavailable"),
        ("GET", "/fails/provider", 502, "provider-unreadable"),
        ("POST", "/echo", 422, "invalid-request"),
    ],
)
async def test_every_failure_has_the_same_shape(client, method, path, status, cause):
    answer = await client.request(method, path)
    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == FIELDS
    assert (problem["status"], problem["cause"]) == (status, cause)
    assert len(problem["request_id"]) == 32
    assert problem["remedy"]


async def test_the_type_is_a_page_that_explains_the_cause(client):
    problem = (await client.get("/fails/store")).json()
    page = await client.get(problem["type"], headers=HTML)
    assert page.status_code == 200
    assert problem["title"] in page.text
    assert (await client.get("/problems/no-such-cause", headers=HTML)).status_code == 404


async def test_programs_are_told_what_http_has_headers_for(client):
    assert (await client.get("/fails/store")).headers["retry-after"] == "2"
    assert (await client.get("/me")).headers["www-authenticate"] == 'Bearer realm="https://gateway.example.com"'
    refused = await client.get("/me", headers={"authorization": "Bearer nonsense"})
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert "GET" in (await client.request("PATCH", "/me")).headers["allow"]


async def test_facts_about_the_store_stay_in_the_log(client, caplog):
    for headers in ({}, HTML):
        answer = await client.get("/fails/store", headers=headers)
        assert "postgres.internal" not in answer.text
    assert "postgres.internal" in caplog.text


async def test_an_expected_failure_is_one_line_without_a_traceback(client, caplog):
    flow = (await client.get("/fails/provider")).json()["request_id"]
    lines = [record for record in caplog.records if record.name == "latchpin.web"]
    assert len(lines) == 1
    assert lines[0].levelname == "WARNING"
    assert lines[0].exc_info is None
    assert flow in lines[0].getMessage()
    assert lines[0].cause == "provider-unreadable"


async def test_what_was_logged_before_is_not_logged_again(client, caplog):
    await client.get("/fails/logged")
    assert not [record for record in caplog.records if record.name == "latchpin.web"]


async def test_a_page_names_cause_and_remedy_and_runs_no_script_of_the_provider(client):
    answer = await client.get("/fails/provider", headers=HTML)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "try again" in answer.text.lower()
    assert "provider-unreadable" in answer.text


async def test_a_path_is_not_echoed(client):
    answer = await client.get("/<script>alert(1)</script>?q=<b>x", headers=HTML)
    assert answer.status_code == 404
    assert "alert(1)" not in answer.text
    assert "<b>" not in answer.text


async def test_a_value_that_does_not_validate_is_not_repeated(client, caplog):
    answer = await client.post("/echo", json={"number": "s3cret-in-the-wrong-field"})
    assert answer.status_code == 422
    assert "body.number" in answer.json()["detail"]
    assert "s3cret" not in answer.text + caplog.text


async def test_a_browser_is_sent_to_login_with_its_way_back(client, caplog):
    answer = await client.get("/me?a=1&b=%2F", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://gateway.example.com/login?next=%2Fme%3Fa%3D1%26b%3D%252F"
    assert not [record for record in caplog.records if record.name == "latchpin.web"]


async def test_a_refused_identity_is_told_and_not_hidden_by_a_redirect(client):
    answer = await client.get("/me", headers={**HTML, "authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert "bearer token was refused" in answer.text
