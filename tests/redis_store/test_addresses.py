"""REDIS_URL: the forms it takes, and what is said of those it does not."""

import asyncio
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from latchpin.errors import BackendUnavailable, SettingsError
from latchpin.settings import load, masked
from latchpin_redis_store.cluster import Cluster, parse_cluster
from latchpin_redis_store.settings import RedisSettings
from latchpin_redis_store.slots import read_slots, slot_of
from latchpin_testing import MovedClock, samples

from tests.redis_store.test_layout import opened
from tests.support.http_servers import relay_to

NOW = MovedClock()()


async def works(url):
    pending = samples.pending_authorization(NOW)
    async with opened(url) as (states, _):
        await states.put(pending)
        return await states.consume(pending.key) == pending


async def test_a_unix_socket(redis_url, redis_server, tmp_path):
    path = tmp_path / "redis.sock"
    async with await asyncio.start_unix_server(relay_to(redis_server.port), path):
        assert await works(f"unix://{path}?db=0")


async def test_tls_with_a_certificate_that_must_fit(redis_url, redis_server, tmp_path):
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(make_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(relay_to(redis_server.port), "127.0.0.1", 0, ssl=context) as server:
        url = f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        assert await works(f"{url}?ssl_ca_certs={certificate}")
        with pytest.raises(BackendUnavailable, match=r"(?i)certificate"):
            async with opened(url, redis_max_retries=1):
                pass


def make_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


async def test_another_database_is_another_store(redis_url):
    pending = samples.pending_authorization(NOW)
    async with opened(redis_url) as (first, _), opened(redis_url[:-1] + "1") as (second, _):
        await first.put(pending)
        await second.put(pending)
        assert await second.consume(pending.key) == await first.consume(pending.key) == pending


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://h:1/", "redis://h:6379/15", "rediss://u:p@h:6380/0", "redis://[::1]:6379/0", "unix:///r.s"],
)
def test_good_addresses(url):
    assert RedisSettings(redis_url=url).redis_url == url


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis+cluster://a", Cluster((("a", 6379),), "redis://server/0")),
        (
            "rediss+cluster://u:p%40w@a:1,[::1]:2/0?ssl_ca_certs=/ca.pem",
            Cluster((("a", 1), ("::1", 2)), "rediss://u:p%40w@server/0?ssl_ca_certs=/ca.pem"),
        ),
        ("redis://a:6379/0", None),
    ],
)
def test_addresses_of_clusters(url, found):
    assert parse_cluster(url) == found
    assert RedisSettings(redis_url=url).redis_url == url


@pytest.mark.parametrize(
    ("words", "slot"),
    [
        (("GET", "foo"), 12182),
        (("GET", b"123456789"), 0x31C3),
        (("HGET", "{user1000}.following", "x"), 3443),
        (("HGET", "foo{}{bar}", "x"), 8363),  # nothing in the first braces: all of it counts
        (("GET", "foo{{bar}}zap"), 4015),
        (("EVAL", "return 1", 2, "{latchpin}:a", "{latchpin}:{gw}:b", "x"), 7044),
        (("INFO", "memory"), None),
    ],
)
def test_slots(words, slot):
    """The first five as the specification of clusters has them."""
    assert slot_of(words) == slot


def test_an_answer_about_slots():
    assert list(
        read_slots([[0, 5, [b"a", 1, b"id"], [b"b", 2]], [6, 9, [b"", 3]], [10, 11, [None, 4]]], ("me", 7))
    ) == [
        (range(6), ("a", 1)),
        (range(6, 10), ("me", 3)),
        (range(10, 12), ("me", 4)),
    ]
    for wrong in ([[1]], [[0, 1, b"x"]], 5, [["a", "b", [b"h", 1]]]):
        with pytest.raises(ValueError, match="CLUSTER SLOTS"):
            list(read_slots(wrong, ("me", 7)))


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:s3cr3t@h:6379",
        "redis://:s3cr3t@",
        "redis://:s3cr3t@h:port/0",
        "redis://:s3cr3t@h:6379/zero",
        "redis://:s3cr3t/x@h:6379/0",
        "redis://:s3cr3t#x@h:6379/0",
        "redis://h:6379/0?password=s3cr3t",
        "unix://",
        "redis://[::1:6379/s3cr3t",
        # Cut in two, the password looks like a port and a path or query, and the user name like a host.
        "redis://u:12/s3cr3t@h:6379/0",
        "redis://u:12?s3cr3t@h:6379/0",
        "redis://u:12?db=s3cr3t@h:6379/0",
        "unix://u:p/s3cr3t@/run/redis.sock",
        # Sentinels.
        "redis+sentinel://",
        "redis+sentinel://a:26379",
        "redis+sentinel://a:26379/",
        "redis+sentinel://a:26379/n/zero",
        "redis+sentinel://:s3cr3t@a:port/n",
        "redis+sentinel://a,/n",
        "redis+sentinel://u:12/s3cr3t@a:26379/n/0",
        "redis+sentinel://a:26379/n?password=s3cr3t",
        "redis+sentinel://u:p#s3cr3t@a:26379/n",
        "redis+sentinel://a@b:26379,u:s3cr3t@c:26379/n/x@y",
        # Clusters.
        "redis+cluster://",
        "redis+cluster://a:6379,",
        "redis+cluster://:s3cr3t@a:6379/1",
        "redis+cluster://:s3cr3t@a:port",
        "redis+cluster://u:12/s3cr3t@a:6379",
        "redis+cluster://a:6379?password=s3cr3t",
        "redis+cluster://a:6379#s3cr3t",
        "redis+cluster://a:6379,u:s3cr3t@b:6379/0?x@y",
    ],
)
def test_bad_addresses_are_refused_without_repeating_the_password(url, monkeypatch):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError, match=r"REDIS_URL holds .* must ") as caught:
        load(RedisSettings)
    assert "s3cr3t" not in str(caught.value)


def test_settings_do_not_show_the_password():
    settings = RedisSettings(redis_url="redis://:s3cr3t@h:6379/0")
    assert "s3cr3t" not in repr(settings) + str(masked(settings))
