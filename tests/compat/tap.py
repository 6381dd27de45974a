"""What stands between the gateway and the mock server: it hears, and now and then breaks in.

Requests go on as they are, answers come back as they are. Where the user says `compat-late`
a stream ends, after its first text, in the provider's own words for a failure; where he
says `compat-cut` the connection ends there.
"""

import http.client
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from tests.compat import kind_hosts
from tests.compat.upstreams import Host

PATIENCE_S: Final = 60
SCRIPTED: Final = frozenset({"late", "cut"})
_WORD: Final = re.compile(rb"compat-([a-z]+)")
_IN_PATH: Final = (
    re.compile(r"/models/(?P<model>[^/:]+):(?P<stream>stream)?[gG]enerateContent"),
    re.compile(r"/deployments/(?P<model>[^/]+)/chat/completions(?P<stream>)"),
    re.compile(r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?"),
)


class Heard:
    """A request as it came."""

    def __init__(self, path: str, headers: dict[str, str], raw: bytes) -> None:
        self.path = path
        self.headers = headers
        self.raw = raw
        self.said = b""
        """What was answered."""

    def body(self) -> dict[str, Any]:
        """Return the body; what the path says instead of it, under names with a dollar."""
        body: dict[str, Any] = json.loads(self.raw)
        for pattern in _IN_PATH:
            if found := pattern.search(self.path):
                model = urllib.parse.unquote(found["model"])
                body |= {"$model": model, "$stream": bool(found["stream"])}
        return body

    @property
    def word(self) -> str:
        found = _WORD.findall(self.raw)
        return found[-1].decode() if found else ""


class Tap:
    """Fronts the mock server at `port` for one host, at `url`."""

    def __init__(self, host: Host, port: int) -> None:
        self.heard: list[Heard] = []
        self._port = port
        self._host = host
        handler = type("Handler", (_Handler,), {"tap": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return self.at(self._host.base)

    def at(self, base: str) -> str:
        """Return the address of what the provider has below another path."""
        return f"http://127.0.0.1:{self._server.server_port}{base}"

    def forward(self, heard: Heard) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the mock server, or who answers in its place, and return all that it says."""
        if kind_hosts.is_ours(heard.path):
            return kind_hosts.answer(heard.path, heard.raw)
        raw = heard.raw
        if heard.word in SCRIPTED:
            raw = _WORD.sub(b"compat-text", raw)
        server = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            sent = {"Content-Type": "application/json"}
            if kind_hosts.is_kind(heard.path):
                sent |= kind_hosts.UNSTRICT
            server.request("POST", heard.path, raw, sent)
            answer = server.getresponse()
            kept = ("Content-Type", "Retry-After")
            headers = [(name, answer.headers[name]) for name in kept if name in answer.headers]
            return answer.status, headers, answer.read()
        finally:
            server.close()

    def mended(self, heard: Heard, body: bytes) -> bytes:
        """Return an answer whose thoughts, or tokens, are the provider's."""
        if kind_hosts.is_kind(heard.path):
            is_aimocks = not kind_hosts.is_ours(heard.path)
            return kind_hosts.counted(heard.path, heard.raw, body) if is_aimocks else body
        return self._host.mends(body) if heard.word == "thinking" else body

    def broken(self, body: bytes, word: str) -> bytes:
        """Return a stream as it is until its first text, and what comes then."""
        events = self._host.frames(body)
        last = next(n for n, event in enumerate(events) if b"Paris" in event)
        kept = b"".join(events[: last + 1])
        return kept + self._host.breaks if word == "late" else kept


class _Handler(BaseHTTPRequestHandler):
    tap: Tap
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        named = {name.lower(): value for name, value in self.headers.items()}
        heard = Heard(self.path, named, raw)
        self.tap.heard.append(heard)
        status, headers, body = self.tap.forward(heard)
        word = heard.word if status == http.HTTPStatus.OK else ""
        if word in SCRIPTED:
            body = self.tap.broken(body, word)
        elif status == http.HTTPStatus.OK:
            body = self.tap.mended(heard, body)
        heard.said = body
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (1000 if word == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = word == "cut"

    def log_message(self, *_: object) -> None:
        """Say nothing."""
