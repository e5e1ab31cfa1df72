"""``latchpin serve``: where it listens, what it says about it, and how it ends."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest
from latchpin.errors import SettingsError
from latchpin.serving import serve as serving
from latchpin.serving.binding import bind, url_of
from latchpin.serving.serve import doubt_about_base_url
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

from tests.servers import GatewayBackend, ServerProcess, latchpin_command, run_latchpin, start_latchpin
from tests.servers.gateway import clean_environment

MEMORY = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory", "LOG_FILE": ""}
SECRET = {"auth_encryption_secret": "a-secret-of-the-tests-with-48-characters-in-all!"}


def settings_of(**values):
    return CoreSettings(_env_file=None, **SECRET | values)


# -- the address --------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named_with_the_option_that_helps(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_latchpin("serve", "--port", port, env={"LOG_FILE": ""}, cwd=tmp_path, executable=latchpin_command())
    [what, remedy] = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert what == f"latchpin: configuration error: PORT {port} is in use: another program listens at 127.0.0.1"
    assert "--port" in remedy
    assert "ss -ltnp" in remedy


UNKNOWN = [
    # HOST, what is said, why
    ("nowhere.invalid", "no name that can be looked up", "a name that is reserved for not being there"),
    ("192.0.2.1", "no address of this machine", "an address that is reserved for documentation"),
    ("a" * 300, "no name that can be looked up", "longer than a name can be"),
]


@pytest.mark.parametrize(("host", "said", "why"), UNKNOWN)
def test_a_host_that_is_not_here_is_named(host, said, why):
    with pytest.raises(SettingsError, match="HOST holds") as caught:
        bind(host, 0)
    assert said in str(caught.value), why
    assert "--host" in caught.value.remedy


def test_nobody_can_connect_before_there_is_somebody_to_answer():
    [bound] = bind("127.0.0.1", 0)
    with bound:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url_of(bound))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(bound.getsockname(), timeout=60)


@pytest.mark.parametrize(("host", "meant"), [("[::1]", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1"), ("[", "[")])
def test_an_address_may_be_written_as_in_a_url(host, meant):
    assert settings_of(host=host).host == meant


# -- BASE_URL -----------------------------------------------------------------------------------------

BASE_URLS = [
    # what is set, BASE_URL, why
    ({}, "http://localhost:4444", "the default of both"),
    ({"port": "5555"}, "http://localhost:5555", "links lead to where we listen"),
    ({"port": 5555}, "http://localhost:5555", "the same, from a program"),
    ({"port": "5555", "base_url": ""}, "http://localhost:5555", "empty is not set"),
    ({"port": "5555", "base_url": "https://x.example"}, "https://x.example", "what is set stands"),
    ({"port": ""}, "http://localhost:4444", "empty is the default"),
    ({"port": "0"}, "http://localhost:4444", "known when the port is taken"),
]


@pytest.mark.parametrize(("values", "base_url", "why"), BASE_URLS)
def test_without_base_url_links_lead_to_where_we_listen(values, base_url, why):
    assert settings_of(**values).base_url == base_url, why


DOUBTS = [
    # what is set, what is doubted, why
    ({}, "", "they fit"),
    ({"port": 5555}, "", "BASE_URL follows"),
    ({"base_url": "http://localhost:8080", "port": 4444}, "PORT is 4444", "nobody may listen at 8080"),
    ({"base_url": "http://localhost"}, "PORT is 4444", "that is port 80"),
    ({"base_url": "https://gateway.example.com"}, "", "a proxy does TLS"),
    ({"host": "0.0.0.0"}, "", "loopback is among them"),
    ({"host": "::"}, "", "the same"),
    ({"host": "192.0.2.7"}, "HOST=192.0.2.7", "localhost is not listened at"),
    ({"host": "::1"}, "", "localhost may mean it"),
]


@pytest.mark.parametrize(("values", "said", "why"), DOUBTS)
def test_a_base_url_where_nobody_listens_is_doubted(values, said, why):
    doubt = doubt_about_base_url(settings_of(**values))
    assert (said in doubt, bool(doubt)) == (True, bool(said)), why


@pytest.mark.needs("latchpin_memory_store")
def test_a_free_port_of_the_systems_choice_is_in_the_link(tmp_path):
    env = clean_environment(MEMORY | {"PORT": "0"})
    with ServerProcess([latchpin_command(), "serve"], env=env, cwd=tmp_path) as process:
        said = process.wait_for_output("Serving at ")
        link = process.wait_for_output("/login?token=")
    port = re.search(r"http://127\.0\.0\.1:(\d+)", said)[1]
    assert link.strip().startswith(f"http://localhost:{port}/login?token=")


# -- .env ---------------------------------------------------------------------------------------------

ENV_FILES = [
    # how it is written, whether it can be read, why
    ("STATE_TTL_SECONDS=77\n".encode("utf-8-sig"), True, "the mark that some editors put first"),
    ("STATE_TTL_SECONDS=77\n# ä\n".encode(), True, "plain UTF-8"),
    ("STATE_TTL_SECONDS=77\n".encode("utf-16"), False, "what some shells write"),
    ("STATE_TTL_SECONDS=77\n# ä\n".encode("latin-1"), False, "an old editor"),
]


@pytest.mark.parametrize(("written", "readable", "why"), ENV_FILES)
def test_an_env_file_in_another_encoding_is_named(tmp_path, monkeypatch, written, readable, why):
    monkeypatch.delenv("STATE_TTL_SECONDS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(written)
    if readable:
        assert load(CoreSettings).state_ttl_seconds == 77, why
        return
    with pytest.raises(SettingsError) as caught:
        load(CoreSettings)
    assert str(tmp_path / ".env") in str(caught.value), why
    assert caught.value.remedy == "Save that file as UTF-8."


BROKEN_LINES = [
    # what .env holds, which line is named, why it must not be passed over
    ('PORT=5000\n\n# a secret\nAUTH_ENCRYPTION_SECRET="hush-hush\nPORT=5001\n', 4, "the quote is open: the default"),
    ("ADMIN_EMAILS ann@example.com\n", 1, "no equals sign"),
    ("PORT=1\r\n\r\nBASE_URL: https://hush.example\r\n", 3, "a colon, and an editor of Windows"),
    ("BASE_URL='http://localhost' hush\n", 1, "words after the quote"),
]


@pytest.mark.parametrize(("written", "line", "why"), BROKEN_LINES)
def test_a_line_of_an_env_file_that_cannot_be_read_stops_the_start(tmp_path, monkeypatch, written, line, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(written.encode())
    with pytest.raises(SettingsError) as caught:
        load(CoreSettings)
    assert caught.value.public == f"line {line} of {tmp_path / '.env'} cannot be read", why
    assert "NAME=value" in caught.value.remedy
    assert "hush" not in f"{caught.value} {caught.value.remedy} {caught.value.__cause__}"


@pytest.mark.parametrize("make", [Path.mkdir, lambda place: place.symlink_to("nowhere")], ids=["folder", "dead link"])
def test_an_env_file_that_is_none_stops_the_start(tmp_path, monkeypatch, make):
    """A container's mount makes a folder where the file was not there."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / ".env")
    with pytest.raises(SettingsError, match="is no file") as caught:
        load(CoreSettings)
    assert str(tmp_path / ".env") in str(caught.value)


# -- several workers, and the end ---------------------------------------------------------------------


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(("workers", "number"), [("1", signal.SIGHUP), ("2", signal.SIGHUP), ("2", signal.SIGINT)])
def test_a_signal_ends_it_in_order(backend: GatewayBackend, tmp_path, workers, number):
    env, installed = backend.environment, latchpin_command()
    with start_latchpin("serve", "--workers", workers, env=env, cwd=tmp_path, executable=installed) as process:
        process.wait_for_output("Serving at ")
        process.wait_for_output("Application startup complete", times=int(workers))
        process.send(number)
        process.wait()
        output = process.output
    assert output.index("Application startup complete") < output.index("Serving at ")  # not before it does
    assert output.count("Application shutdown complete") == int(workers)
    assert "Traceback" not in output


@pytest.mark.backends("sqlite")
def test_a_worker_whose_place_cannot_be_taken_at_once_ends_no_other(backend: GatewayBackend, tmp_path: Path):
    settings = tmp_path / ".env"
    settings.write_text("STATE_TTL_SECONDS=600\n")
    command = ("serve", "--workers", "2")
    with start_latchpin(*command, env=backend.environment, cwd=tmp_path, executable=latchpin_command()) as process:
        process.wait_for_output("Application startup complete", times=2)
        process.wait_for_output("Serving at ")
        settings.write_text("STATE_TTL_SECONDS=soon\n")
        os.kill(worker_of(process.pid), signal.SIGKILL)
        process.wait_for_output("could not start")
        process.wait_until_healthy()
        settings.write_text("STATE_TTL_SECONDS=600\n")
        process.wait_for_output("Application startup complete", times=3)
        process.send(signal.SIGTERM)
        assert process.wait() == 0


def worker_of(supervisor: int) -> int:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return next(int(pid) for pid in children if b"uvicorn worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_a_busy_worker_is_not_taken_for_a_hung_one_too_early():
    assert serving.HEALTHCHECK_SECONDS > 5
