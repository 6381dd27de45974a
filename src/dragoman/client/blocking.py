"""A transport for programs without an event loop, on the standard library's `http.client`.

Fails as `dragoman.net` does, with NetError, so that both clients decide alike. Any
number of threads may use one transport; each answer has a connection of its own, which
is kept for the next one when the answer has been read to its end.
"""

import ssl
from collections.abc import Iterator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from socket import gaierror
from time import monotonic

from dragoman.net.tls import secure_context
from dragoman.net.types import STALE_S, Limits, NetError, Phase, Request
from dragoman.net.url import Location, locate

IDLE_CONNECTIONS = 8
CHUNK_BYTES = 65536
HTTPError = (OSError, HTTPException)

PHASES: tuple[tuple[type[Exception], Phase], ...] = (
    (gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (RemoteDisconnected, "eof"),
    (IncompleteRead, "eof"),
    (HTTPException, "protocol"),
    (ConnectionRefusedError, "refused"),
)
"""What an exception says about where it went wrong, most specific first."""


class BlockingAnswer:
    """An answer whose head has arrived. Whoever holds it must close it."""

    def __init__(
        self, transport: "BlockingTransport", connection: HTTPConnection, response: HTTPResponse
    ) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._transport = transport
        self._connection: HTTPConnection | None = connection
        self._response = response

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives. Raises NetError when it breaks off."""
        try:
            while data := self._response.read1(CHUNK_BYTES):
                yield data
        except HTTPError as error:
            raise _net_error(error, "idle") from error

    def read(self) -> bytes:
        """Return the whole body. Raises NetError when it breaks off."""
        try:
            return self._response.read()
        except HTTPError as error:
            raise _net_error(error, "idle") from error

    def close(self) -> None:
        """Give the connection back if the body has been read to its end, else cut it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._response.isclosed() and connection.sock is not None:
            self._transport.keep(connection)
        else:
            self._response.close()
            connection.close()


class BlockingTransport:
    """Carries requests to one host. Not for more: it keeps connections without asking whose."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: list[HTTPConnection] = []
        self._closed = False
        self._context: ssl.SSLContext | None = None

    def send(self, request: Request) -> BlockingAnswer:
        """Return the answer once its head is in. Raises NetError."""
        if self._closed:
            raise NetError("pool", "the client is closed")
        location = locate(request.url)
        kept = self._take()
        connection = kept or self._dial(location)
        asked = monotonic()
        try:
            connection.request(
                request.method, location.target, request.body or None, dict(request.headers)
            )
            response = connection.getresponse()
        except HTTPError as error:
            connection.close()
            if kept is not None:
                self._drop()
            gone = isinstance(error, ConnectionError) and monotonic() - asked < STALE_S
            gone = gone and kept is not None
            raise _net_error(error, "head", reused=gone) from error
        return BlockingAnswer(self, connection, response)

    def keep(self, connection: HTTPConnection) -> None:
        """Take back a connection whose answer has come to its end."""
        if self._closed or len(self._idle) >= IDLE_CONNECTIONS:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Cut all connections that are kept, and keep none any more."""
        self._closed = True
        self._drop()

    def _take(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _drop(self) -> None:
        """Cut what is kept: where one connection has died of age, others have too."""
        while (connection := self._take()) is not None:
            connection.close()

    def _dial(self, location: Location) -> HTTPConnection:
        host, port = location.origin.host, location.origin.port
        if location.origin.scheme == "https":
            self._context = self._context or secure_context()
            connection: HTTPConnection = HTTPSConnection(host, port, context=self._context)
        else:
            connection = HTTPConnection(host, port)
        connection.timeout = self._limits.connect_s
        try:
            connection.connect()
        except HTTPError as error:
            connection.close()
            raise _net_error(error, "connect") from error
        connection.sock.settimeout(self._limits.head_s)
        return connection


def _net_error(error: OSError | HTTPException, waiting: Phase, *, reused: bool = False) -> NetError:
    """Return the failure as a NetError. `waiting` is the phase in which time ran out."""
    detail = str(error) or type(error).__name__
    return NetError(_phase(error, waiting), detail, reused=reused)


def _phase(error: OSError | HTTPException, waiting: Phase) -> Phase:
    if isinstance(error, TimeoutError):
        return waiting
    unspecific: Phase = "refused" if waiting == "connect" else "reset"
    return next((phase for kind, phase in PHASES if isinstance(error, kind)), unspecific)
