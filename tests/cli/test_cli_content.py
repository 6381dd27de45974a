"""`dragoman accounts set` and `generations forget`, beside running workers too."""

import http.client
import json
import sqlite3
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Running, run, start

PATIENCE_S = 20.0
WORDS = "xylophone quartz marmalade"


@pytest.fixture
def made() -> str:
    key: str = run("keys", "create", "laptop", "--json").json["hash"]
    return key


@pytest.mark.usefixtures("made")
def test_an_account_is_opted_in_and_out() -> None:
    ran = run("accounts", "set", "default", "--store-content", "on")
    assert (ran.code, "is stored from now on" in ran.out) == (0, True)
    off = run("accounts", "set", "default", "--store-content", "off", "--json")
    assert (off.json["id"], off.json["store_content"]) == ("default", False)
    assert "generations forget" in run("accounts", "set", "default", "--store-content", "off").out
    told = run("audit", "--json").json
    assert [each["action"] for each in told].count("account.update") == 2


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("default",), 2),
        (("default", "--store-content", "maybe"), 2),
        (("acct_none", "--store-content", "on"), 1),
        (("house:cash", "--store-content", "on"), 2),
    ],
)
def test_what_cannot_be_set_is_refused(arguments: tuple[str, ...], code: int) -> None:
    assert run("accounts", "set", *arguments).code == code


@pytest.mark.usefixtures("made")
def test_all_is_forgotten_only_by_who_says_so() -> None:
    for_scripts = run("generations", "forget", "--json")
    assert (for_scripts.code, "--yes" in for_scripts.err) == (2, True)
    asked = run("generations", "forget", stdin="n\n")
    assert (asked.code, "forgotten" in asked.out) == (1, False)
    assert "all generations of default?" in asked.err
    assert run("generations", "forget", stdin="").code == 2
    agreed = run("generations", "forget", stdin="y\n")
    assert (agreed.code, "0 generations of default" in agreed.out) == (0, True)


def test_what_is_forgotten_is_counted(made: str, data: Path) -> None:
    assert run("generations", "forget", "--yes", "--json").json == {"forgotten": 0}
    with sqlite3.connect(data / "records.db") as records:
        for number in range(3):
            row = (f"gen-{number}", "default", made if number else "other", number, b"")
            records.execute("INSERT INTO content VALUES (?, ?, ?, ?, ?)", row)
    records.close()
    ran = run("generations", "forget", "--before", "1970-01-01T00:00:01Z")
    assert "What was said in 1 generation of default is forgotten" in ran.out
    assert run("generations", "forget", "--key", "laptop", "--json").json == {"forgotten": 2}
    assert run("generations", "forget", "--before", "yesterday").code == 2


def call(running: Running, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
    line = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=30)
    try:
        data = None if body is None else json.dumps(body)
        line.request(method, path, data, {"Authorization": f"Bearer {running.key}"})
        answer = line.getresponse()
        return answer.status, answer.getheader("x-generation-id", ""), json.loads(answer.read())
    finally:
        line.close()


def test_workers_hand_over_what_was_said(tmp_path: Path) -> None:
    data = tmp_path / "node"
    running = start(data, "--workers", "2")
    body = {
        "model": "demo/parrot",
        "messages": [{"role": "user", "content": WORDS}],
        "provider": {"only": ["demo-swift"]},
    }
    try:
        status, id_, _ = call(running, "POST", "/api/v1/chat/completions", body)
        assert (status, call(running, "GET", f"/api/v1/generation/content?id={id_}")[0]) == (
            200,
            404,
        )
        run("accounts", "set", "default", "--store-content", "on", "--data", str(data))
        until = time.monotonic() + PATIENCE_S
        while True:
            _, id_, _ = call(running, "POST", "/api/v1/chat/completions", body)
            status, _, told = call(running, "GET", f"/api/v1/generation/content?id={id_}")
            if status == 200:
                break
            assert time.monotonic() < until
        assert told["data"]["input"]["messages"] == body["messages"]
        assert told["data"]["output"]["completion"].split() == WORDS.split()
    finally:
        running.stop()
    records = sqlite3.connect(data / "records.db")
    kept = [row for (row,) in records.execute("SELECT packed FROM content")]
    records.close()
    assert all(WORDS.encode() in zlib.decompress(each) for each in kept)
    forgotten = run("generations", "forget", "-y", "--data", str(data), "--json").json["forgotten"]
    assert forgotten == len(kept) >= 1
    for file in data.rglob("*"):
        assert not file.is_file() or not any(each in file.read_bytes() for each in kept), file
