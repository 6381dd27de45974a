"""A client that knows nothing of HTTP: it sends bytes, and reads what comes."""

import socket
from typing import Self

from tests.e2e.gateway import Gateway

PATIENCE_S = 30


class Wire:
    """A connection to the gateway, byte by byte."""

    def __init__(self, node: Gateway) -> None:
        host, port = node.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def one(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer that says how long it is."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        status, headers = parsed(head)
        while len(body) < int(headers.get("content-length", 0)):
            body += self._some()
        return status, headers, body

    def rest(self) -> bytes:
        """Read until the gateway closes. A reset counts as that, silence does not."""
        data = b""
        try:
            while more := self.socket.recv(65536):
                data += more
        except ConnectionResetError:
            pass
        return data

    def _some(self) -> bytes:
        more = self.socket.recv(65536)
        assert more, "the gateway closed within an answer"
        return more


def parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}


def statuses(answer: bytes) -> list[int]:
    """Return the status of every answer in what came."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
