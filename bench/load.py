"""Loads: what wrk sends, how long, and what it found. `post.lua` is its other half."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench.client import request

SCRIPT: Final = Path(__file__).with_name("post.lua")
MANY_KEYS: Final = 100_000
MOST_FAILED: Final = 0.05
LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


CHAT: Final = "/chat/completions"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the report.

    `model` is what is asked of the gateway, `upstream` what the mock is asked for.
    `chunks` is 0 for an answer in one piece, `keys` how many callers take turns.
    """

    name: str
    model: str
    upstream: str
    endpoints: int
    chunks: int = 0
    connections: int = 32
    seconds: int = 2
    tls: bool = False
    keys: int = 1
    path: str = CHAT
    """Below the base URL. The body of a chat is one of Messages as well."""


class Outcome(msgspec.Struct, frozen=True):
    """What wrk saw: requests answered in full, those that failed, and how long they took.

    `bytes` are those of all answers, of streams cut off at the end, too.
    """

    requests: int
    bytes: int
    duration_us: int
    failed: int
    p50_us: int
    p99_us: int


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where wrk sends to: a base URL, a file of keys, further headers."""

    url: str
    keys: Path
    headers: tuple[tuple[str, str], ...] = ()


PLAIN_2: Final = Load(name="plain, 2 endpoints", model="bench/two", upstream="plain", endpoints=2)
PLAIN_20: Final = Load(
    name="plain, 20 endpoints", model="bench/twenty", upstream="plain", endpoints=20
)
PLAIN_40: Final = Load(
    name="plain, 40 endpoints", model="bench/forty", upstream="plain", endpoints=40
)
PLAIN_KEYS: Final = Load(
    name="plain, 20 endpoints, 100,000 keys",
    model="bench/twenty",
    upstream="plain",
    endpoints=20,
    keys=MANY_KEYS,
)
PLAIN_TLS: Final = Load(
    name="plain, TLS upstream", model="bench/tls", upstream="plain", endpoints=2, tls=True
)
STREAM: Final = Load(
    name="stream, unpaced", model="bench/stream", upstream="stream-50", endpoints=20, chunks=50
)
STREAM_TLS: Final = Load(
    name="stream, unpaced, TLS upstream",
    model="bench/stream-tls",
    upstream="stream-50",
    endpoints=2,
    chunks=50,
    tls=True,
)
PACED: Final = Load(
    name="stream, paced",
    model="bench/paced",
    upstream="paced-50",
    endpoints=20,
    chunks=50,
    connections=200,
    seconds=5,
)
PACED_TLS: Final = Load(
    name="stream, paced, TLS upstream",
    model="bench/paced-tls",
    upstream="paced-50",
    endpoints=2,
    chunks=50,
    connections=200,
    seconds=5,
    tls=True,
)
PACED_TRANSLATED: Final = Load(
    name="stream, paced, Messages to chat",
    model="bench/paced",
    upstream="paced-50",
    endpoints=20,
    chunks=50,
    connections=200,
    seconds=5,
    path="/messages",
)
LOADS: Final = (
    PLAIN_2, PLAIN_20, PLAIN_40, PLAIN_KEYS, PLAIN_TLS, STREAM, STREAM_TLS, PACED, PACED_TLS,
    PACED_TRANSLATED,
)  # fmt: skip
HOLD: Final = Load(name="hold", model="bench/hold", upstream="hold", endpoints=20, chunks=1)
HOLD_TLS: Final = Load(
    name="hold, TLS upstream",
    model="bench/hold-tls",
    upstream="hold",
    endpoints=2,
    chunks=1,
    tls=True,
)
FLOOD: Final = Load(name="flood", model="bench/flood", upstream="flood", endpoints=2, chunks=1)
SERVED: Final = (*LOADS, HOLD, HOLD_TLS, FLOOD)
"""Everything that the gateway is configured for."""


def command(load: Load, target: Target, model: str, seconds: int) -> list[str]:
    """Return the command line of wrk."""
    wrk = ["wrk", "--threads", "1", "--connections", str(load.connections)]
    wrk += ["--duration", f"{seconds}s", "--timeout", "30s", "--script", str(SCRIPT)]
    streamed = str(load.chunks > 0).lower()
    wrk += [target.url + load.path, "--", model, streamed, str(target.keys)]
    return [*wrk, *(f"{name}={value}" for name, value in target.headers)]


def outcome(printed: str) -> Outcome:
    """Read what wrk printed, of which the last line is the script's."""
    return msgspec.json.decode(printed.splitlines()[-1], type=Outcome)


def send(load: Load, target: Target, model: str, seconds: int) -> Outcome:
    """Send a load to the chat route for so many seconds. Raises SystemExit on failures.

    A failed request is cheap, and would make a broken gateway look fast. Of streams, which count
    by their bytes, a few may be turned away: hundreds begin at once. They are told.
    """
    wrk = command(load, target, model, seconds)
    found = outcome(subprocess.run(wrk, check=True, capture_output=True, text=True).stdout)
    failed = f"{load.name} at {target.url}: {found.failed} of {found.requests} requests failed"
    if found.failed > found.requests * (MOST_FAILED if load.chunks else 0) or not found.requests:
        raise SystemExit(failed)
    if found.failed:
        print(failed)
    return found


def answer_bytes(load: Load, target: Target, model: str) -> int:
    """Ask once for a stream, and return how many bytes its answer has, head and all."""
    place = urlsplit(target.url)
    key = target.keys.read_text().partition("\n")[0]
    asked = request(place.path + load.path, key, model, stream=load.chunks > 0)
    extra = "".join(f"{name}: {value}\r\n" for name, value in target.headers)
    asked = asked.replace(b"\r\n\r\n", f"\r\n{extra}\r\n".encode(), 1)
    size, tail = 0, b""
    with socket.create_connection((place.hostname, place.port or 80), timeout=30) as connection:
        connection.sendall(asked)
        while not tail.endswith(LAST_CHUNK) and (data := connection.recv(65536)):
            size, tail = size + len(data), (tail + data)[-len(LAST_CHUNK) :]
    return size


def require_wrk() -> None:
    """Raise SystemExit, with what to install, when there is no wrk."""
    if shutil.which("wrk") is None:
        raise SystemExit("The benchmark needs wrk (Debian: apt install wrk)")
