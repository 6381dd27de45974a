"""The official Node client, unmodified, against a listening gateway."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Needs
from tests.e2e.conftest import model_id
from tests.e2e.gateway import Gateway


@pytest.fixture(scope="module")
def found(gateway: Gateway, needs: Needs, node_clients: Path) -> Any:
    return run("chat.mjs", gateway, needs, node_clients)


def run(script: str, gateway: Gateway, needs: Needs, node_clients: Path) -> Any:
    """Return what a script found."""
    done = subprocess.run(
        [needs("node"), script],
        cwd=node_clients,
        env=gateway.environ
        | {
            "GATEWAY_BASE": gateway.base,
            "GATEWAY_KEY": gateway.key,
            "BROKEN_MODEL": model_id("status-400", "node"),
            "CUT_MODEL": model_id("cut-3", "node"),
        },
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_node_chat_and_stream(found: Any) -> None:
    assert found["chat"] == "hello there"
    assert found["stream"] == "hello there"
    assert found["cost"] > 0
    assert found["provider"] == "string"
    assert found["streamTokens"] > 0


def test_node_models(found: Any) -> None:
    assert {"demo/parrot", "demo/scholar"} <= set(found["models"])


def test_node_fallbacks(found: Any) -> None:
    assert found["fallback"] == "demo/parrot"


def test_node_errors(found: Any) -> None:
    assert found["badModel"]["kind"] == "BadRequestError"
    assert "is not a valid model ID" in found["badModel"]["text"]
    assert found["broken"]["status"] == 400


def test_node_sees_an_error_inside_a_stream(found: Any) -> None:
    assert found["cutText"] == "one two three "
    assert found["cutError"] == "APIError"


def test_node_tools(found: Any) -> None:
    assert found["tool"] == "get_weather"


def test_node_responses(gateway: Gateway, needs: Needs, node_clients: Path) -> None:
    found = run("responses.mjs", gateway, needs, node_clients)
    assert found["text"] == found["streamed"] == found["final"] == "hello there"
    assert found["cost"] > 0
    assert found["tool"] == "get_weather"
    assert found["refused"]["kind"] == "BadRequestError"
    assert found["last"] == "response.failed"
