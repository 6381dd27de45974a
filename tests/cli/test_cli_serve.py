"""`dragoman serve` as a newcomer, a script and an operator with a mistake meet it."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dragoman import __version__
from dragoman.cli import context
from dragoman.cli.serve import is_loopback
from dragoman.cli.welcome import greet, reachable
from dragoman.office.premises import JOURNALS, open_premises
from dragoman.web.server.listener import Server, StartFailed
from tests.cli.command import DRAGOMAN, Running, execute, run, start

CHAT = {"model": "demo/parrot", "messages": [{"role": "user", "content": "Hello!"}]}


def status_with(key: str, running: Running) -> int:
    """Return how the gateway answers `GET /key` with this key."""
    request = urllib.request.Request(
        f"{running.base}/key", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def answered(url: str, headers: dict[str, str], body: str) -> Any:
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_the_first_start_says_where_it_is_what_it_found_and_how_to_use_it(
    gateway: Running,
) -> None:
    assert f"Dragoman {__version__}" in gateway.printed
    assert re.search(r"http://127\.0\.0\.1:\d+", gateway.printed)
    assert str(gateway.data) in gateway.printed
    assert "Demo Swift" in gateway.printed
    assert "4 models" in gateway.printed
    assert "shown this once" in gateway.printed
    assert f"dragoman chat demo/parrot --url {gateway.base}" in gateway.printed


def test_the_printed_curl_is_answered(gateway: Running) -> None:
    line = next(line for line in gateway.printed.splitlines() if line.startswith("  curl "))
    words = shlex.split(line)
    headers = dict(
        w.split(": ", 1) for w, before in zip(words[1:], words, strict=False) if before == "-H"
    )
    body = answered(words[1], headers, words[words.index("-d") + 1])
    assert body["choices"][0]["message"]["content"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_curl_works_when_pasted(gateway: Running) -> None:
    line = next(line for line in gateway.printed.splitlines() if line.startswith("  curl "))
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["role"] == "assistant"


def test_the_first_key_is_called_default_and_works(gateway: Running) -> None:
    keys = run("keys", "list", "--json", "--data", str(gateway.data)).json
    assert "default" in {key["name"] for key in keys}
    assert status_with(gateway.key, gateway) == 200


def test_a_key_made_and_switched_off_beside_the_server_acts_within_a_second(
    gateway: Running,
) -> None:
    there = ("--data", str(gateway.data), "--json")
    key = run("keys", "create", "brief", *there).json["key"]
    assert status_with(key, gateway) == 200
    for command, expected in (("disable", 401), ("enable", 200), ("revoke", 401)):
        run("keys", command, "brief", *there)
        until = time.monotonic() + 20.0
        while status_with(key, gateway) != expected:
            assert time.monotonic() < until, f"{command} does not act"
            time.sleep(0.02)


def test_a_later_start_tells_how_to_make_a_key_and_shows_none(data: Path) -> None:
    run("keys", "create", "mine")
    running = start(data)
    assert running.stop(signal.SIGINT) == 0
    assert f"dragoman keys create NAME --data {data}\n" in running.printed
    assert "sk-dm" not in running.printed


def test_providers_of_the_settings_are_named_and_the_demo_gives_way(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    model = "{context: 1000, price: {prompt: 0.000002, completion: 0.000004}}"
    file.write_text(
        "providers: {acme: {base_url: 'http://127.0.0.1:9/v1', models: "
        f"{{acme/dear: {model.replace('2', '9')}, acme/cheap: {model}}}}}}}"
    )
    running = start(data, "--config", str(file))
    running.stop()
    assert "Providers: acme (2 models)" in running.printed
    assert "models --config" not in running.printed
    assert '"model": "acme/cheap"' in running.printed


def _journaled_bytes(running: Running) -> int:
    return sum(file.stat().st_size for file in (running.data / JOURNALS).rglob("*.journal"))


@contextmanager
def left_open(running: Running) -> Iterator[Any]:
    """Ask something that is not answered, and wait until it is written down that it began."""
    body = CHAT | {"messages": [{"role": "user", "content": "[[fault:hang]]"}], "stream": True}
    words = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
        f"Authorization: Bearer {running.key}\r\nContent-Length: {len(words)}\r\n"
    )
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert b"100 Continue" in line.recv(100)
        before = _journaled_bytes(running)
        line.sendall(words)
        until = time.monotonic() + 20.0
        while _journaled_bytes(running) == before:
            assert time.monotonic() < until, "it does not begin"
            time.sleep(0.01)
        yield line


def test_a_stop_says_what_it_waits_for_and_a_second_one_does_not_wait(data: Path) -> None:
    running = start(data)
    with left_open(running):
        running.send(signal.SIGINT)
        assert "Stopping after 1 open request, in 120 s at the latest" in running.complaint()
        assert running.stop(signal.SIGINT) == 0
    assert "lifespan" not in running.complaints
    assert len(run("logs", "--json").json) == 1


def test_no_workers_at_all_is_wrong_usage() -> None:
    ran = run("serve", "--workers", "0")
    assert ran.code == 2
    assert "workers" in ran.err


def test_an_address_in_use_is_a_failure_that_names_the_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--port", str(port))
    assert ran.code == 1
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use. Choose" in ran.err
    assert "--port" in ran.err


def test_too_few_open_files_are_a_failure_that_names_the_fix() -> None:
    few = 'ulimit -n 40 && exec "$0" serve --port 0'
    ran = subprocess.run(
        ["sh", "-c", few, DRAGOMAN], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("dragoman: This process may open 40 files, and")
    assert "ulimit -n 65536" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_brackets_around_an_address_are_no_part_of_it() -> None:
    """In a URL an IPv6 address has them, so people write them."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--host", "[::1]", "--port", str(port))
    assert ran.code == 1
    assert f"::1:{port} cannot be listened on: Address already in use" in ran.err


def test_no_key_is_made_when_the_address_cannot_be_had(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run("serve", "--port", str(taken.getsockname()[1]))
    assert run("keys", "list", "--json", "--data", str(data)).json == []


def test_a_host_that_does_not_exist_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN__SERVER__HOSTS", "['*']")
    run("keys", "create", "mine")
    ran = run("serve", "--host", "nowhere.invalid", "--port", "4000")
    assert ran.code == 1
    assert "nowhere.invalid:4000 cannot be listened on" in ran.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_nobody_but_this_machine_reaches_a_gateway_without_a_key(host: str) -> None:
    ran = run("serve", "--host", host, "--port", "0")
    assert ran.code == 2
    assert "dragoman keys create NAME" in ran.err


def test_who_can_be_reached_says_by_which_names() -> None:
    run("keys", "create", "mine")
    ran = run("serve", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 2
    assert "DRAGOMAN__SERVER__HOSTS='[api.example.com]'" in ran.err


def test_with_a_key_and_names_every_address_may_be_listened_on(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("server: {hosts: [api.example.com]}")
    run("keys", "create", "mine")
    running = start(data, "--host", "0.0.0.0", "--config", str(file))
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--certfile", "nowhere.pem"], "nowhere.pem: No such file"),
        (["--certfile", "dragoman.yaml"], "dragoman.yaml: holds no PEM certificate"),
        (["--keyfile", "key.pem"], "`keyfile` needs a `certfile`"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_wrong_usage(
    options: list[str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "dragoman.yaml").write_text("demo: on")
    ran = run("serve", "--port", "0", *options)
    assert ran.code == 2
    assert words in ran.err


def test_a_data_directory_that_is_a_file_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    ran = run("serve", "--port", "0")
    assert ran.code == 2
    assert "--data" in ran.err


def test_bad_settings_are_wrong_usage_and_the_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("server: {prot: 1}")
    ran = execute("serve", "--port", "0", "--config", str(tmp_path / "dragoman.yaml"))
    assert ran.code == 2
    assert "prot" in ran.err
    assert "Traceback" not in ran.err


def test_settings_that_make_no_catalog_are_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("providers: {acme: {base_url: nonsense}}")
    ran = run("serve", "--port", "0")
    assert ran.code == 2
    assert "providers.acme.base_url" in ran.err


def test_a_file_of_authorities_that_is_none_is_wrong_usage_for_every_command(
    tmp_path: Path,
) -> None:
    for name, said in (("nowhere.pem", "No such file"), ("dragoman.yaml", "PEM")):
        (tmp_path / "dragoman.yaml").write_text(f"upstream: {{ca_file: {name}}}")
        for command in (["serve", "--port", "0"], ["doctor"], ["models"]):
            ran = run(*command)
            assert ran.code == (1 if command == ["doctor"] else 2)
            assert f"upstream.ca_file: {name}: " in ran.out + ran.err
            assert said in ran.out + ran.err


def test_commands_to_paste_name_a_path_where_the_command_is_on_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [str(DRAGOMAN)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert context.program() == str(DRAGOMAN)
    monkeypatch.setenv("PATH", str(DRAGOMAN.parent))
    assert context.program() == "dragoman"


def test_a_settings_file_elsewhere_is_named_in_commands_to_paste(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    file = tmp_path / "here" / "own.yaml"
    file.write_text("")
    assert context.config_words(context.settings(None, file)) == f" --config {file}"
    (tmp_path / "dragoman.yaml").write_text("")
    assert context.config_words(context.settings(None, None)) == ""


def test_a_settings_file_that_is_not_there_is_wrong_usage() -> None:
    ran = run("serve", "--config", "nowhere.yaml")
    assert ran.code == 2
    assert "dragoman init" in ran.err


def test_a_newer_database_is_left_alone(data: Path) -> None:
    premises = open_premises(data)
    premises.ledger.run_now(lambda c: c.execute(text("UPDATE migration SET number = number + 90")))
    premises.close()
    ran = run("serve", "--port", "0")
    assert ran.code == 1
    assert "later release" in ran.err


def test_an_exposed_pepper_is_refused_with_the_command_that_mends_it(data: Path) -> None:
    open_premises(data).close()
    (data / "pepper").chmod(0o644)
    ran = run("serve", "--port", "0")
    assert ran.code == 2
    assert f"chmod 600 {data / 'pepper'}" in ran.err


def test_a_damaged_database_is_a_failure_in_the_drivers_words(data: Path) -> None:
    open_premises(data).close()
    for file in data.glob("ledger.db*"):
        file.write_bytes(b"this is no database" * 100)
    ran = run("serve", "--port", "0")
    assert ran.code == 1
    assert "not a database" in ran.err


def test_a_server_that_does_not_come_up_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_in_vain(*_: object) -> None:
        raise StartFailed("the shelf is bare")

    monkeypatch.setattr(Server, "run", run_in_vain)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ran = run("serve", "--port", "0")
    assert ran.code == 1
    assert "did not start: the shelf is bare" in ran.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("demo: off", ["No provider is configured", "dragoman init"]),
        (
            "providers: {mine: {base_url: 'http://127.0.0.1:9'}}",
            ["Providers: mine (those that mine lists)"],
        ),
    ],
)
def test_without_a_model_to_try_no_curl_is_printed(
    settings: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dragoman.yaml").write_text(settings)
    chosen = context.settings(None, None)
    with context.opened(chosen) as premises:
        greet(chosen, premises, "http://127.0.0.1:4000")
    printed = capsys.readouterr().out
    assert "curl" not in printed
    assert "sk-dm-v1-" in printed
    for each in words:
        assert each in printed


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://0.0.0.0:4000", "http://127.0.0.1:4000"),
        ("http://[::]:4000", "http://[::1]:4000"),
        ("http://10.0.0.1:4000", "http://10.0.0.1:4000"),
    ],
)
def test_the_address_in_the_curl_is_one_that_can_be_called(url: str, shown: str) -> None:
    assert reachable(url) == shown


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("127.evil.example", False),
        ("example.com", False),
    ],
)
def test_which_addresses_are_this_machines_alone(host: str, own: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is own
