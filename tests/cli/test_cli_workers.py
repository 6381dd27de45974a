"""`dragoman serve --workers 2` as a machine runs it: processes that come, go, and are killed."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from dragoman.store.options import DatabaseOptions
from tests.cli.command import Running, execute, run, start

CHAT: Final = {
    "model": "demo/parrot",
    "messages": [{"role": "user", "content": "Hello!"}],
    "provider": {"only": ["demo-swift"]},
}
SLOW: Final = CHAT | {
    "messages": [{"role": "user", "content": " ".join(["word"] * 40)}],
    "stream": True,
    "provider": {"only": ["demo-thrifty"]},
}
PATIENCE_S: Final = 20.0
WORKERS: Final = 2


class House:
    """A running node of two workers, and a key that manages."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.host = running.url.removeprefix("http://")
        self.manager = self.mint("manager", "--management")
        self.served = 0

    def mint(self, *arguments: str) -> str:
        key: str = run(
            "keys", "create", *arguments, "--json", "--data", str(self.running.data)
        ).json["key"]
        return key

    def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Call by a connection of its own, which either worker may get."""
        line = http.client.HTTPConnection(self.host, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {self.running.key}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            line.request(method, path, data, named)
            answer = line.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        finally:
            line.close()

    def chat(self, key: str | None = None) -> int:
        named = {"Authorization": f"Bearer {key or self.running.key}"}
        status = self.call("POST", "/api/v1/chat/completions", CHAT, **named)[0]
        self.served += status == 200
        return status

    def workers(self) -> list[dict[str, Any]]:
        """Return what the workers say of themselves."""
        named = {"Authorization": f"Bearer {self.manager}"}
        status, _, answer = self.call("GET", "/api/v1/node", **named)
        found: list[dict[str, Any]] = json.loads(answer)["data"]["workers"] if status == 200 else []
        return found

    def told(self, is_so: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Wait until the workers' words are as they should be; they speak once a second."""
        until = time.monotonic() + PATIENCE_S
        while not is_so(found := self.workers()):
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found

    @property
    def keeper(self) -> int:
        """The process that is no worker."""
        pids = {each["pid"] for each in self.told(lambda found: len(found) == WORKERS)}
        (keeper,) = {int(child) for child in children(self.running.pid)} - pids
        return keeper


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def waited_for(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.02)


@contextmanager
def house_of(data: Path, *arguments: str) -> Iterator[House]:
    running = start(data, "--workers", str(WORKERS), *arguments)
    try:
        yield House(running)
    finally:
        if is_there(running.pid):
            running.stop()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A node that no test does harm to."""
    with house_of(tmp_path_factory.mktemp("calm") / "data") as house:
        yield house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A node of which processes may be killed. Its path is longer than a socket's may be."""
    with house_of(tmp_path / ("d" * 120)) as house:
        yield house


def test_the_greeting_is_that_of_one_process_and_comes_once(calm: House) -> None:
    printed = calm.running.printed
    assert printed.count("Dragoman 0.1.0") == 1
    assert "2 workers" in printed
    assert "shown this once" in printed


def test_both_workers_serve_and_one_node_counts(calm: House) -> None:
    def both_did(found: list[dict[str, Any]]) -> bool:
        assert calm.chat() == 200
        return len(found) == WORKERS and all(each["generations"] for each in found)

    found = calm.told(both_did)
    assert len({each["catalog"] for each in found}) == 1
    assert {each["listening"] for each in found} == {True}
    assert all(each["resident_bytes"] < 100 * 1024 * 1024 for each in found)
    status, _, body = calm.call("POST", "/api/v1/chat/completions", CHAT)
    assert status == 200
    query = f"/api/v1/generation?id={json.loads(body)['id']}"
    assert calm.call("GET", query)[0] == 200, "what was just recorded is not found"


def test_who_does_not_manage_learns_nothing_of_the_processes(calm: House) -> None:
    assert calm.call("GET", "/api/v1/node")[0] == 403


def test_health_and_readiness_are_answered_by_workers(calm: House) -> None:
    for _ in range(8):
        for path in ("/healthz", "/readyz"):
            status, _, body = calm.call("GET", path)
            assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_a_worker_has_neither_sql_nor_a_framework_in_memory(calm: House) -> None:
    for worker in calm.told(lambda found: len(found) == WORKERS):
        mapped = Path(f"/proc/{worker['pid']}/maps").read_text()
        assert "msgspec" in mapped
        for heavy in ("pydantic", "sqlalchemy", "asyncpg", "_sqlite3"):
            assert heavy not in mapped, f"a worker has {heavy} loaded"


def test_what_a_worker_imports_is_slim() -> None:
    script = "import sys; import dragoman.cli.node; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"fastapi", "starlette", "pydantic", "sqlalchemy", "sqlite3", "alembic", "rich",
             "typer", "click", "asyncpg"}  # fmt: skip
    assert not heavy & set(loaded)
    assert "dragoman.relay.life" in loaded


def test_a_key_that_is_revoked_is_soon_refused_by_every_worker(calm: House) -> None:
    key = calm.mint("brief")
    for _ in range(12):
        assert calm.chat(key) == 200
    run("keys", "revoke", "brief", "--data", str(calm.running.data))
    until = time.monotonic() + PATIENCE_S
    while {calm.chat(key) for _ in range(12)} != {401}:
        assert time.monotonic() < until, "a revoked key stays good"


def test_a_limit_of_a_key_is_one_limit_whichever_worker_is_reached(calm: House) -> None:
    key = calm.mint("paced", "--rpm", "5")
    assert Counter(calm.chat(key) for _ in range(12)) == {200: 5, 429: 7}


def test_the_control_plane_is_reached_through_either_worker(calm: House) -> None:
    managing = {"Authorization": f"Bearer {calm.manager}"}
    body = {"name": "n" * 100, "limit_reset": None}
    for _ in range(6):
        status, fields, answer = calm.call("POST", "/api/v1/keys", body, **managing)
        assert status == 201, answer
        assert fields["content-type"] == "application/json"
        assert json.loads(answer)["data"]["name"] == "n" * 100
    assert calm.call("GET", "/api/v1/nowhere", **managing)[0] == 404
    assert calm.call("POST", "/api/v1/keys", b"{", **managing)[0] == 400
    assert calm.call("DELETE", "/api/v1/models", **managing)[0] == 405
    status, fields, answer = calm.call("HEAD", "/api/v1/models")
    assert (status, answer) == (200, b"")
    whole = calm.call("GET", "/api/v1/models")
    assert int(fields["content-length"]) == len(whole[2])
    tag = {"If-None-Match": whole[1]["etag"]}
    assert calm.call("GET", "/api/v1/models", **tag)[0] == 304


def test_a_body_for_the_control_plane_is_bounded_where_it_comes_in(calm: House) -> None:
    managing = {"Authorization": f"Bearer {calm.manager}"}
    large = json.dumps({"name": "x", "padding": "x" * 900_000}).encode()
    assert calm.call("POST", "/api/v1/keys", large, **managing)[0] in {201, 400}
    too_large = b"x" * (1024 * 1024 + 1)
    assert calm.call("POST", "/api/v1/keys", too_large, **managing)[0] == 413


def test_what_a_client_says_of_its_address_is_not_believed(calm: House) -> None:
    managing = {"Authorization": f"Bearer {calm.manager}"}
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", **managing}
    status, _, answer = calm.call("POST", "/api/v1/keys", {"name": "forged"}, **forged)
    assert status == 201
    hash_ = json.loads(answer)["data"]["hash"]
    feed = calm.call("GET", "/api/v1/models?use_rss=true", **forged)[2]
    assert b"https://127" not in feed
    entries = run("audit", "--json", "--data", str(calm.running.data)).json
    mine = [entry for entry in entries if hash_ in json.dumps(entry)]
    assert mine
    assert "203.0.113.9" not in json.dumps(mine)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_gateway_on_the_same_directory_is_refused(calm: House, workers: str) -> None:
    ran = execute("serve", "--port", "0", "--workers", workers, "--data", str(calm.running.data))
    assert ran.code == 1
    assert "uses" in ran.err
    assert "already" in ran.err
    assert calm.chat() == 200


def test_an_address_that_others_have_is_refused_even_if_they_would_share_it(
    calm: House, data: Path
) -> None:
    port = calm.host.rpartition(":")[2]
    for workers in ("1", "2"):
        ran = execute("serve", "--port", port, "--workers", workers, "--data", str(data))
        assert ran.code == 1
        assert "Address already in use" in ran.err


def test_a_killed_worker_is_replaced_and_the_other_does_not_notice(house: House) -> None:
    before = house.told(lambda found: len(found) == WORKERS)
    victim, other = before[0]["pid"], before[1]["pid"]
    over = Event()

    def load() -> Counter[str]:
        ends: Counter[str] = Counter()
        # Each goes on until it was answered again: a worker may be replaced faster than one asks.
        while not over.is_set() or ends["200"] < 2:
            try:
                ends[str(house.chat())] += 1
            except (OSError, http.client.HTTPException):
                ends["cut"] += 1
            assert ends.total() < 10_000, ends
        return ends

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            os.kill(victim, signal.SIGKILL)
            after = house.told(
                lambda found: len(found) == WORKERS and victim not in {e["pid"] for e in found}
            )
        finally:
            over.set()
        ends = sum((each.result() for each in loads), Counter[str]())
    assert other in {each["pid"] for each in after}
    # Only what the killed worker had under way may be cut: a connection of each thread at most.
    assert set(ends) <= {"200", "cut"}, ends
    assert ends["cut"] <= 4


def test_while_the_keeper_is_gone_known_keys_are_served_and_then_all_is_well(
    house: House,
) -> None:
    def both_know(found: list[dict[str, Any]]) -> bool:
        house.chat()
        return all(each["generations"] > 2 for each in found)

    house.told(both_know)
    other = house.mint("other")
    keeper = house.keeper
    os.kill(keeper, signal.SIGSTOP)  # it stays silent for as long as we want
    try:
        assert {house.chat() for _ in range(10)} == {200}
        status, fields, _ = house.call(
            "POST", "/api/v1/chat/completions", CHAT, Authorization=f"Bearer {other}"
        )
        assert status == 503
        assert fields["retry-after"] == "1"
        assert house.call("GET", "/readyz")[0] == 200
    finally:
        os.kill(keeper, signal.SIGKILL)
    assert {house.chat() for _ in range(10)} == {200}
    waited_for(lambda: house.chat(other) == 200, "a new key was never found again")
    assert keeper not in {int(child) for child in children(house.running.pid)}
    found = house.told(lambda found: len(found) == WORKERS)
    assert sum(each["lost"] for each in found) == 0
    assert house.running.stop() == 0
    logged = run("logs", "--json", "-n", "1000", "--data", str(house.running.data)).json
    assert len({each["id"] for each in logged}) == len(logged) == house.served


def test_a_stop_drains_every_worker_and_each_stream_ends_once(house: House) -> None:
    heads = f"Host: gateway\r\nAuthorization: Bearer {house.running.key}\r\n"
    body = json.dumps(SLOW).encode()
    host, port = house.host.split(":")
    lines = []
    for _ in range(6):
        line = socket.create_connection((host, int(port)), timeout=30)
        line.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\n{heads}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        lines.append(line)
    first = [line.recv(200) for line in lines]
    house.running.send(signal.SIGTERM)
    for line, begun in zip(lines, first, strict=True):
        answer = begun
        while part := line.recv(65536):
            answer += part
        line.close()
        assert answer.count(b"data: [DONE]") == 1
        assert answer.endswith(b"0\r\n\r\n")
    assert house.running.wait() == 0
    assert len(run("logs", "--json", "--data", str(house.running.data)).json) == 6


def test_children_of_a_killed_supervisor_stop_by_themselves(house: House) -> None:
    assert house.chat() == 200
    pids = [int(child) for child in children(house.running.pid)]
    assert len(pids) == WORKERS + 1
    house.running.stop(signal.SIGKILL)
    waited_for(lambda: not any(map(is_there, pids)), "a child outlived its supervisor")
    logged = run("logs", "--json", "--data", str(house.running.data)).json
    assert len(logged) == 1
    with house_of(house.running.data):
        pass


def test_what_cannot_start_says_why_once_and_ends(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("providers: {acme: {base_url: 'nonsense'}}")
    ran = execute(
        "serve", "--port", "0", "--workers", "2", "--data", str(data), "--config", str(file)
    )
    assert ran.code == 2
    assert "nonsense" in ran.err
    assert "Traceback" not in ran.err


def test_with_its_state_in_postgresql_a_node_is_the_same(
    data: Path, tmp_path: Path, postgres_state: DatabaseOptions
) -> None:
    file = tmp_path / "own.yaml"
    where = {"url": postgres_state.url, "schema": postgres_state.schema}
    file.write_text(json.dumps({"database": where, "server": {"workers": WORKERS}}))
    running = start(data, "--config", str(file))
    asked = {"Authorization": f"Bearer {running.key}"}
    for _ in range(8):
        body = json.dumps(CHAT).encode()
        request = urllib.request.Request(f"{running.base}/chat/completions", body, asked)
        with urllib.request.urlopen(request) as answer:
            made = json.load(answer)["id"]
        look = urllib.request.Request(f"{running.base}/generation?id={made}", headers=asked)
        with urllib.request.urlopen(look) as answer:
            assert answer.status == 200
    assert running.stop() == 0
    logged = run("logs", "--json", "--data", str(data), "--config", str(file)).json
    assert len(logged) == 8
