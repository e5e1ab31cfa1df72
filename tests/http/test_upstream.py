"""The guarded way out, in the ordinary case: what leaves, what comes back, what is tried again."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
from latchpin.errors import UpstreamUnreachable
from latchpin.outbound.upstream import open_upstream

from tests.support.http_servers import answer, no_pause, serve, settings, write_certificate, writing


async def test_a_reply_is_whole_and_plain() -> None:
    body = gzip.compress(b'{"a": 1}')
    lines = ("Content-Type: application/json", "Content-Encoding: gzip", "X-A: 1", "X-A: 2", "Set-Cookie: s=1")
    async with serve(writing(answer(body, *lines))) as wire, open_upstream(settings()) as upstream:
        reply = await upstream.get(f"{wire.url}/metadata?code=secret", headers={"x-mine": "yes"})
    assert (reply.status, reply.body, reply.url) == (200, b'{"a": 1}', f"{wire.url}/metadata")
    assert reply.headers["x-a"] == "1, 2"
    assert not {"set-cookie", "content-encoding", "content-length"} & set(reply.headers)
    sent = wire.requests[0].lower()
    assert sent.startswith(b"get /metadata?code=secret http/1.1\r\n")
    assert b"x-mine: yes" in sent
    assert b"accept-encoding: gzip, deflate\r\n" in sent


@pytest.mark.parametrize(
    "lines", [("Content-Encoding: utf-8",), ("Content-Encoding: identity", "Content-Encoding: br")]
)
async def test_a_wrong_label_is_passed_over_and_logged(
    lines: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "latchpin.outbound")
    async with serve(writing(answer(b'{"a": 1}', *lines))) as wire, open_upstream(settings()) as upstream:
        reply = await upstream.send("POST", f"{wire.url}/token?key=hidden", body=b"x=1")
    assert reply.body == b'{"a": 1}'
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["The answer of 127.0.0.1"]
    assert "hidden" not in caplog.text


async def test_no_cookie_comes_back_to_the_server() -> None:
    lines = ("Set-Cookie: session=alice; Path=/",)
    async with serve(writing(answer(b"{}", *lines))) as wire, open_upstream(settings()) as upstream:
        await upstream.get(wire.url)
        await upstream.get(wire.url)
        await upstream.send("POST", wire.url, body=b"x=1")
    assert len(wire.requests) == 3
    assert not any(b"cookie" in request.lower() for request in wire.requests)


async def test_redirects_are_answers() -> None:
    redirect = answer(b"", "Location: http://127.0.0.1:1/elsewhere", status="302 Found")
    async with serve(writing(redirect)) as wire, open_upstream(settings()) as upstream:
        reply = await upstream.get(wire.url)
    assert (reply.status, reply.headers["location"]) == (302, "http://127.0.0.1:1/elsewhere")


async def test_each_send_takes_a_fresh_connection_and_gets_share_one() -> None:
    async with serve(writing(answer())) as wire, open_upstream(settings()) as upstream:
        await upstream.get(wire.url)
        await upstream.get(wire.url)
        assert len(wire.connections) == 1
        await upstream.send("POST", wire.url, body=b"a=1")
        await upstream.send("POST", wire.url, body=b"a=2")
        assert len(wire.connections) == 3
    assert wire.requests[-1].endswith(b"\r\n\r\na=2")


async def test_get_tries_again_after_5xx_and_a_lost_connection() -> None:
    bad, lost = answer(b"", status="503 Service Unavailable"), b"HTTP/1.1 "
    replies = writing(bad, lost, answer(b"fine"))
    async with (
        serve(replies, close=True) as wire,
        open_upstream(settings(retries=3), sleep=no_pause) as upstream,
    ):
        assert (await upstream.get(wire.url)).body == b"fine"
    assert len(wire.requests) == 3


async def test_get_gives_up_after_its_retries() -> None:
    bad = answer(b"down", status="500 Oops")
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(round(seconds, 3))

    async with serve(writing(bad)) as wire, open_upstream(settings(retries=2), sleep=note) as upstream:
        reply = await upstream.get(wire.url)
    assert (reply.status, len(wire.requests), pauses) == (500, 3, [0.1, 0.2])


async def test_send_is_not_repeated_once_something_was_sent() -> None:
    async with (
        serve(writing(b""), close=True) as wire,
        open_upstream(settings(retries=3), sleep=no_pause) as upstream,
    ):
        with pytest.raises(UpstreamUnreachable) as caught:
            await upstream.send("POST", wire.url, body=b"code=abc")
        assert caught.value.sent
        assert len(wire.requests) == 1
        assert len(wire.connections) == 1


async def test_send_is_not_repeated_after_5xx() -> None:
    bad = answer(b"{}", status="500 Oops")
    async with serve(writing(bad)) as wire, open_upstream(settings(retries=3), sleep=no_pause) as upstream:
        assert (await upstream.send("POST", wire.url, body=b"code=abc")).status == 500
    assert len(wire.requests) == 1


async def test_a_repeatable_send_is_repeated() -> None:
    async with (
        serve(writing(b"", answer(b"ok")), close=True) as wire,
        open_upstream(settings(retries=1), sleep=no_pause) as upstream,
    ):
        assert (await upstream.send("POST", wire.url, body=b"grant=cc", repeatable=True)).body == b"ok"
    assert len(wire.requests) == 2


async def test_send_tries_again_while_nothing_was_sent() -> None:
    tries: list[float] = []

    async def note(seconds: float) -> None:
        tries.append(seconds)

    async with serve(writing(answer())) as wire:
        gone = wire.url
    async with open_upstream(settings(retries=2), sleep=note) as upstream:
        with pytest.raises(UpstreamUnreachable, match="Connection refused") as caught:
            await upstream.send("POST", gone, body=b"code=abc")
    assert not caught.value.sent
    assert len(tries) == 2


async def test_tls_with_a_private_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, tls = write_certificate(tmp_path, "localhost")
    async with serve(writing(answer(b"safe")), tls=tls) as wire:
        url = f"https://localhost:{wire.port}/token"
        async with open_upstream(settings()) as upstream:
            with pytest.raises(UpstreamUnreachable, match=r"TLS failed: self.signed certificate") as caught:
                await upstream.get(url)
            assert not caught.value.sent
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with open_upstream(settings()) as upstream:
            assert (await upstream.get(url)).body == b"safe"
            with pytest.raises(UpstreamUnreachable, match="TLS failed"):
                await upstream.get(url.replace("localhost", "127.0.0.1"))


async def test_no_query_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(writing(answer())) as wire, open_upstream(settings()) as upstream:
        await upstream.get(f"{wire.url}/x?code=very-secret")
    assert "very-secret" not in caplog.text


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    async with serve(writing(answer())) as wire, open_upstream(settings()) as upstream:
        assert (await upstream.get(wire.url)).status == 200
