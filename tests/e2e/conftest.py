"""One gateway for all end-to-end tests, in front of two scripted upstreams."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.scripted import SCRIPTS, ScriptedUpstream

ARGUMENTS = {
    "status": ("400", "401", "402", "403", "404", "408", "409", "413", "422", "425", "429", "500",
               "502", "503", "504", "520", "522", "524", "529"),
    "limited": ("7", "7.5", "-1", "1e308", "Wed, 21 Oct 2015 07:28:00 GMT"),
    "slow": ("0.3",),
    "paced": ("0.05",),
    **dict.fromkeys(("cut", "eof", "rst", "garbage", "late_error", "stall"), ("1", "3")),
}  # fmt: skip

IMPATIENT = {
    "DRAGOMAN__UPSTREAM__FIRST_CONTENT_S": "1.5",
    "DRAGOMAN__UPSTREAM__ANSWER_S": "1.5",
    "DRAGOMAN__UPSTREAM__FIRST_CONTENT_REASONING_S": "1.5",
    "DRAGOMAN__UPSTREAM__ANSWER_REASONING_S": "1.5",
    "DRAGOMAN__UPSTREAM__IDLE_S": "1.5",
    "DRAGOMAN__UPSTREAM__CONNECT_S": "1",
    "DRAGOMAN__UPSTREAM__LINGER_S": "1",
    "DRAGOMAN__SERVER__HEADER_HOLD_S": "1",
    "DRAGOMAN__SERVER__KEEPALIVE_S": "1",
}
"""Seconds where a real gateway has tens of them, so that waiting costs no time here."""


SEEING = "test/seeing"
"""A model that is shown images and documents."""

USES = ("test", "whole", "stream", "alone", "record", "sdk", "node")


def scripts() -> list[str]:
    """Return every script with each of its arguments: the names of the upstream's models."""
    return [
        f"{name}-{argument}" if argument else name
        for name in SCRIPTS
        for argument in ARGUMENTS.get(name, ("",))
    ]


def model_id(script: str, use: str = "test") -> str:
    """Return the gateway's id for a model that is `script` at one host and good at the other.

    A gateway remembers faults, so tests of one script that must not see each other's
    traces ask for models of different use.
    """
    return f"{use}/" + "".join(c if c.isalnum() or c in "._-" else "_" for c in script)


@pytest.fixture(scope="session")
def bad() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def good() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: a connection to it is never made, and never refused."""
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def gateway(
    bad: ScriptedUpstream,
    good: ScriptedUpstream,
    deaf_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("gateway")
    price = {"prompt": 0.0000025, "completion": 0.00001}
    row = {"context": 128000, "max_output": 16384, "price": price}
    config = {
        "providers": {
            "bad": {
                "base_url": bad.url,
                "api_key": "bad-secret-key",
                "cancels": True,
                "models": {
                    model_id(s, use): {**row, "upstream": s} for s in scripts() for use in USES
                },
            },
            "good": {
                "base_url": good.url,
                "api_key": "good-secret-key",
                "models": {
                    model_id(s, use): {**row, "upstream": "good"} for s in scripts() for use in USES
                }
                | {SEEING: {**row, "upstream": "good", "inputs": ["text", "image", "file"]}},
            },
            "nowhere": {"base_url": "http://nowhere.invalid/v1", "models": {"net/dns": row}},
            "refuses": {"base_url": "http://127.0.0.1:9/v1", "models": {"net/refuse": row}},
            "deaf": {
                "base_url": f"http://127.0.0.1:{deaf_port}/v1",
                "models": {"net/connect": row},
            },
            "speaks-no-tls": {
                "base_url": bad.url.replace("http:", "https:"),
                "models": {"net/tls": row},
            },
            "net-good": {
                "base_url": good.url,
                "models": {
                    f"net/{name}": {**row, "upstream": "good"}
                    for name in ("dns", "refuse", "tls", "connect")
                },
            },
            "found": {"base_url": good.url, "discover": True},
        },
        "aliases": {"fast": {model_id("good"): 1}},
        "demo": "on",
    }
    file = home / "dragoman.yaml"
    file.write_text(json.dumps(config))
    running = Gateway(home / "data", file, IMPATIENT)
    yield running
    code = running.stop()
    assert "Traceback" not in running.log, running.log
    assert code in {0, -15}


@pytest.fixture(autouse=True)
def _forgetful(bad: ScriptedUpstream, good: ScriptedUpstream) -> None:
    bad.forget()
    good.forget()
