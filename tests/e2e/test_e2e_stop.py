"""A gateway that is told to stop: what is open may end; what does not end in time is told so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import IMPATIENT
from tests.e2e.gateway import Gateway, Reply
from tests.e2e.raw import Wire
from tests.e2e.scripted import ScriptedUpstream
from tests.e2e.test_e2e_chat import eventually


class Asked:
    """A request under way in a thread of its own."""

    def __init__(self, gateway: Gateway, **body: Any) -> None:
        self.reply: Reply | None = None
        self._thread = threading.Thread(target=self._ask, args=(gateway, body))
        self._thread.start()

    def _ask(self, gateway: Gateway, body: dict[str, Any]) -> None:
        self.reply = gateway.chat(**body)

    def answer(self) -> Reply:
        self._thread.join(20)
        assert self.reply is not None
        return self.reply


@contextmanager
def started(home: Path, upstream: ScriptedUpstream, drain_s: str) -> Iterator[Gateway]:
    """Start a gateway of one's own. The test stops it."""
    scripts = ("slow-0.5", "stall-1", "hang_head", "flood")
    models = {f"t/{script}": {"upstream": script} for script in scripts}
    config = {"providers": {"bad": {"base_url": upstream.url, "models": models}}}
    file = home / "dragoman.yaml"
    file.write_text(json.dumps(config))
    patient = {name: "30" for name in IMPATIENT if name.endswith("_S")}
    gateway = Gateway(home / "data", file, patient | {"DRAGOMAN__SERVER__DRAIN_S": drain_s})
    yield gateway
    assert "Traceback" not in gateway.log, gateway.log


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_what_is_open_may_end(tmp_path: Path, bad: ScriptedUpstream, *, stream: bool) -> None:
    with started(tmp_path, bad, "10") as gateway:
        asked = Asked(gateway, model="t/slow-0.5", stream=stream)
        assert eventually(lambda: bad.calls)
        assert gateway.stop() == 0
        assert asked.answer().status == 200
        (made,) = gateway.run("logs", "--json")
        assert (made["cancelled"], made["finish_reason"]) == (False, "stop")


@pytest.mark.parametrize(
    ("script", "stream", "status"),
    [("stall-1", True, 200), ("hang_head", True, 503), ("hang_head", False, 503)],
)
def test_what_does_not_end_in_time_is_told_so(
    tmp_path: Path, bad: ScriptedUpstream, script: str, status: int, *, stream: bool
) -> None:
    with started(tmp_path, bad, "1") as gateway:
        asked = Asked(gateway, model=f"t/{script}", stream=stream)
        assert eventually(lambda: bad.calls)
        assert gateway.stop() == 0
        reply = asked.answer()
        assert reply.status == status
        told = reply.chunks()[-1] if status == 200 else reply.json()
        assert told["error"]["code"] == 503
        assert told["error"]["metadata"]["error_type"] == "gateway_unavailable"
        assert reply.body.count(b'"error":') == 1
        (made,) = gateway.run("logs", "--json")
        assert (made["cancelled"], made["streamed"]) == (False, stream)


def test_a_client_that_is_behind_with_reading_is_told_so_too(
    tmp_path: Path, bad: ScriptedUpstream
) -> None:
    body = {"model": "t/flood", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    with started(tmp_path, bad, "0.5") as gateway, Wire(gateway) as wire:
        asked = json.dumps(body).encode()
        head = (
            f"POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {gateway.key}\r\nContent-Length: {len(asked)}\r\n\r\n"
        )
        wire.send(head.encode() + asked)
        assert eventually(lambda: bad.calls)
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        assert eventually(lambda: bad.left)
        answer = wire.rest()
        stopping.join(20)
        assert answer.count(b'"error":') == 1
        assert answer.endswith(b"\r\n0\r\n\r\n")
        (made,) = gateway.run("logs", "--json")
        assert (made["cancelled"], made["finish_reason"]) == (False, "error")
