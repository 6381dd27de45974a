"""Loads: what wrk sends, how long, and what it found. `post.lua` is its other half."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

SCRIPT: Final = Path(__file__).with_name("post.lua")
WARM_UP_S: Final = 1


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the report.

    `model` is what is asked of the gateway, `upstream` what the mock is asked for.
    `chunks` is 0 for an answer in one piece.
    """

    name: str
    model: str
    upstream: str
    endpoints: int
    chunks: int = 0
    connections: int = 32
    seconds: int = 5


class Outcome(msgspec.Struct, frozen=True):
    """What wrk saw: requests answered in full, those that failed, and how long they took."""

    requests: int
    duration_us: int
    failed: int
    p50_us: int
    p99_us: int


LOADS: Final = (
    Load(name="plain, 2 endpoints", model="bench/two", upstream="plain", endpoints=2),
    Load(name="plain, 20 endpoints", model="bench/twenty", upstream="plain", endpoints=20),
    Load(
        name="stream, 50 chunks",
        model="bench/stream",
        upstream="stream-50",
        endpoints=20,
        chunks=50,
    ),
    Load(
        name="paced, 50 chunks",
        model="bench/paced",
        upstream="paced-50",
        endpoints=20,
        chunks=50,
        connections=200,
        seconds=10,
    ),
)


def send(load: Load, *, model: str, key: str, url: str, seconds: int) -> Outcome:
    """Send a load to the chat route below `url` for so many seconds. Raises SystemExit on failures.

    A failed request is cheap, and would make a broken gateway look fast.
    """
    command = ["wrk", "--threads", "1", "--connections", str(load.connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "10s", "--script", str(SCRIPT)]
    command += [f"{url}/chat/completions", "--", model, str(load.chunks > 0).lower(), key]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    outcome = msgspec.json.decode(printed.splitlines()[-1], type=Outcome)
    if outcome.failed or not outcome.requests:
        raise SystemExit(f"{load.name}: {outcome.failed} of {outcome.requests} requests failed")
    return outcome


def require_wrk() -> None:
    """Raise SystemExit, with what to install, when there is no wrk."""
    if shutil.which("wrk") is None:
        raise SystemExit("The benchmark needs wrk (Debian: apt install wrk)")
