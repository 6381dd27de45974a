"""A real gateway: the shipped command, listening on loopback, with a key of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from msgspec import Struct

DRAGOMAN = Path(sys.executable).with_name("dragoman")
START_S = 120
"""A machine at work on many things takes half a minute."""


class Reply(Struct, frozen=True):
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[str]:
        """Return the data of every event of a stream, in order."""
        blocks = self.body.decode().split("\n\n")
        return [block[6:] for block in blocks if block.startswith("data: ")]

    def chunks(self) -> list[Any]:
        return [json.loads(event) for event in self.events() if event != "[DONE]"]

    def text(self) -> str:
        """Return the content of a streamed answer."""
        pieces = (choice["delta"] for chunk in self.chunks() for choice in chunk["choices"])
        return "".join(piece.get("content") or "" for piece in pieces)


class Gateway:
    """The process, where it listens, and its first key."""

    def __init__(self, data: Path, config: Path | None, settings: dict[str, str]) -> None:
        self.data = data
        self._log = data.parent / f"{data.name}.log"
        options = ["--config", str(config)] if config else []
        self.environ = clean_environ() | settings | {"DRAGOMAN_DATA": str(data)}
        self.key: str = self.run("keys", "create", "e2e", "--json")["key"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [DRAGOMAN, "serve", "--port", "0", *options],
                env=self.environ,
                stdout=log,
                stderr=log,
                cwd=data.parent,
            )
        self.url = self._address()

    @property
    def base(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def run(self, *arguments: str) -> Any:
        """Run a command with `--json` against the same data; return what it prints."""
        done = subprocess.run(
            [DRAGOMAN, *arguments], env=self.environ, capture_output=True, check=True, timeout=60
        )
        return json.loads(done.stdout)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._call("POST", path, data, headers or {})

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self._call("GET", path, None, headers or {})

    def chat(self, headers: dict[str, str] | None = None, **body: Any) -> Reply:
        body.setdefault("messages", [{"role": "user", "content": "hello"}])
        return self.post("/api/v1/chat/completions", body, headers)

    def _call(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Reply:
        every = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, {**every, **headers}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Reply(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Reply(refusal.code, _lower(refusal.headers), refusal.read())

    def _address(self) -> str:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            for word in self.log.split():
                if word.startswith("http://127.0.0.1:"):
                    return word.rstrip("/").split("/api")[0]
            assert self._process.poll() is None, f"the gateway ended at once:\n{self.log}"
            time.sleep(0.05)
        self._process.kill()
        self._process.wait()
        raise AssertionError(f"the gateway did not start:\n{self.log}")


def clean_environ() -> dict[str, str]:
    """Return the environment without whatever would configure a gateway."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DRAGOMAN") and not name.endswith(("_API_KEY", "_TOKEN"))
    }


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
