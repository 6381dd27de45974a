"""`dragoman serve`: start the gateway and say how to use it.

Needs no configuration: the data directory, the first key and the demo models make
themselves. What the gateway is made of is told in `dragoman.app`.
"""

import resource
import signal
import socket
import sys
from functools import partial
from ipaddress import ip_address
from types import FrameType
from typing import IO, Annotated, Never

import typer
from msgspec import structs

from dragoman.app import build
from dragoman.cli import log_lines, orders
from dragoman.cli.console import err
from dragoman.cli.context import (
    ConfigOption,
    DataOption,
    certified,
    config_words,
    data_words,
    opened,
    settings,
    usable,
)
from dragoman.cli.exits import EPILOG, USAGE, Failure, in_use, reason
from dragoman.cli.welcome import greet
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.node import process
from dragoman.node.places import places, visited
from dragoman.office.premises import Premises
from dragoman.web.edge import Edge
from dragoman.web.options import ServerOptions
from dragoman.web.server.listener import BACKLOG, Server, StartFailed, tls

app = typer.Typer(add_completion=False)

LEAST_FILES = 128
"""Fewer open files than this are not enough: databases, journals and sockets that listen take some
forty, and every stream two."""


@app.command(epilog=EPILOG)
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="4000"),
    ] = None,
    certfile: Annotated[
        str | None, typer.Option(metavar="FILE", help="PEM certificates; turns TLS on.")
    ] = None,
    keyfile: Annotated[
        str | None, typer.Option(metavar="FILE", help="PEM key, if it is in a file of its own.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that serve inference.", show_default="1"),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Start the gateway. Without any configuration it serves the demo models."""
    chosen = _with(
        settings(data, config),
        host=host,
        port=port,
        certfile=certfile,
        keyfile=keyfile,
        workers=workers,
    )
    _allow_many_files()
    log_lines.to_stderr()
    with opened(chosen) as premises:
        _check_keys(chosen, premises)
        if chosen.options.server.workers == 1:
            with _alone_or_alike(chosen):
                _run(chosen, premises)
            return
    _become_node(chosen)


def _with(chosen: Settings, **given: str | int | None) -> Settings:
    """Return the settings with what was given on the command line."""
    said = {name: value for name, value in given.items() if value is not None}
    try:
        server = structs.replace(chosen.options.server, **said)
    except ValueError as error:
        raise Failure(f"{error}.", USAGE) from error
    return structs.replace(chosen, options=structs.replace(chosen.options, server=server))


def _run(chosen: Settings, premises: Premises) -> None:
    edge = build(chosen, premises, Clock())
    options = chosen.options.server
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    with _listening(options.host, options.port) as listener:
        server = _server(edge, chosen, premises)
        try:
            server.run(listener)
        except StartFailed as error:
            raise Failure(f"The gateway did not start: {error}") from error


def _alone_or_alike(chosen: Settings) -> IO[bytes]:
    """Return what keeps nodes with several workers out. Raises Failure while there is one."""
    with usable(chosen.data):
        lock = visited(places(chosen.data))
    if lock is None:
        raise Failure(in_use(chosen.data))
    return lock


def _become_node(chosen: Settings) -> Never:
    """Go on as the supervisor of several processes, without what only commands need."""
    options = chosen.options.server
    with certified(options):
        tls(options)
    orders.become(chosen, _listening_alike(options))


def _listening_alike(options: ServerOptions) -> list[socket.socket]:
    """Return sockets bound to one address, among which the system spreads who comes.

    Raises Failure when others have the address, gateways that share it included.
    """
    with _listening(options.host, options.port) as alone:
        family, address = alone.family, alone.getsockname()
    return [
        socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=True)
        for _ in range(options.workers)
    ]


def _server(edge: Edge, chosen: Settings, premises: Premises) -> Server:
    """Return the server. Raises Failure when its certificate cannot be used."""
    options = chosen.options.server
    with certified(options):
        return Server(
            edge, options, partial(_started, chosen, premises), partial(_draining, options.drain_s)
        )


def _allow_many_files() -> None:
    """Take all the open files this process may have. Raises Failure when they are too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if 0 <= hard < LEAST_FILES:  # a negative number is no limit
        raise Failure(
            f"This process may open {hard} files, and the gateway needs {LEAST_FILES} at least, "
            "two for each stream among them. Raise the limit: ulimit -n 65536, or "
            "LimitNOFILE=65536 where systemd starts it."
        )


def _started(chosen: Settings, premises: Premises, url: str) -> None:
    greet(chosen, premises, url)
    process.settle()


def _draining(patience_s: float, requests: int) -> None:
    """Say on stderr why the server does not stop at once."""
    err().print(process.draining(patience_s, requests))


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End as asked, while there is no server yet that could stop."""
    sys.exit(0)


def _check_keys(chosen: Settings, premises: Premises) -> None:
    """Raise Failure when others could reach a gateway that nobody has a key for."""
    server = chosen.options.server
    host = server.host
    if is_loopback(host):
        return
    if premises.has_usable_key():
        _check_names(server)
        return
    raise Failure(
        f"{host} can be reached by others, and there is no key yet. "
        f"Make one first: dragoman keys create NAME{data_words(chosen)}{config_words(chosen)}",
        USAGE,
    )


def _check_names(server: ServerOptions) -> None:
    """Raise Failure when nobody said by which names others may call the gateway."""
    if not server.hosts:
        raise Failure(
            f"{server.host} can be reached by others, and nobody said by which names. Set "
            "server.hosts in dragoman.yaml, or DRAGOMAN__SERVER__HOSTS='[api.example.com]'; "
            "'[\"*\"]' is any name.",
            USAGE,
        )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`. A name counts as others' to reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address. Raises Failure when it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise Failure(
            f"{host}:{port} cannot be listened on: {reason(error)}. "
            "Choose another with --host or --port."
        ) from error
