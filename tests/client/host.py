"""A host on loopback that answers by a script, and remembers what it was asked."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True):
    """An answer. `then` the connection is kept, closed, or cut or stalled before all bytes came.

    Of `silence` nothing comes at all, and of `gone` the end at once.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}
    then: Literal["keep", "close", "cut", "stall", "silence", "gone"] = "keep"


class Asked(Struct, frozen=True, kw_only=True):
    """A request, and the number of the connection that it came on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Host:
    """Where it is, what it will answer, what it was asked."""

    def __init__(self, url: str, *replies: Reply) -> None:
        self.url = url
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.over = Event()


def json_reply(body: object, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status=status,
        body=json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def refused(status: int, error_type: str = "server", **headers: str) -> Reply:
    error = {"code": status, "message": f"No {status}.", "metadata": {"error_type": error_type}}
    return json_reply({"error": error}, status, **headers)


def events(*payloads: object) -> bytes:
    """Return a stream of these payloads; text goes out as it is."""
    texts = (each if isinstance(each, str) else json.dumps(each) for each in payloads)
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def said(text: str) -> dict[str, Any]:
    return {"id": "gen-1", "choices": [{"index": 0, "delta": {"content": text}}]}


def streamed(*payloads: object) -> Reply:
    return Reply(body=events(*payloads), headers={"Content-Type": "text/event-stream"})


@contextmanager
def host(*replies: Reply, port: int = 0, certificate: Path | None = None) -> Iterator[Host]:
    """Answer the requests that come with these replies, in turn; yield the host.

    With a certificate it speaks TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            here.asked.append(
                Asked(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                    port=self.client_address[1],
                )
            )
            self.answer(here.replies.pop(0))

        do_POST = do_GET  # noqa: N815 - http.server's own name

        def answer(self, reply: Reply) -> None:
            if reply.then in {"silence", "gone"}:
                here.over.wait(20 if reply.then == "silence" else 0)
                self.close_connection = True
                return
            promised = len(reply.body) + (reply.then in {"cut", "stall"})
            self.send_response(reply.status)
            self.send_header("Content-Length", str(promised))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.then == "stall":
                here.over.wait(20)
            self.close_connection = reply.then != "keep"

        def log_message(self, *_: object) -> None:
            """Keep stderr clean."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        scheme, tls = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    here = Host(f"{scheme}://127.0.0.1:{server.server_address[1]}/api/v1", *replies)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield here
    finally:
        here.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
