"""`dragoman serve`: start the gateway and say how to use it.

Needs no configuration: the data directory, the first key and the demo models make
themselves. What the gateway is made of is told in `dragoman.app`.
"""

import gc
import resource
import signal
import socket
import sys
from functools import partial
from ipaddress import ip_address
from types import FrameType
from typing import Annotated

import typer
from msgspec import structs

from dragoman.app import build
from dragoman.cli import log_lines
from dragoman.cli.console import err
from dragoman.cli.context import ConfigOption, DataOption, data_words, opened, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure, reason
from dragoman.cli.welcome import greet
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.office.premises import Premises
from dragoman.web.server import BACKLOG, Server

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="4000"),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that serve requests.")] = 1,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Start the gateway. Without any configuration it serves the demo models."""
    if workers != 1:
        raise Failure(
            'Several workers come with the ledger\'s feature "keeper and workers". '
            "Start with --workers 1.",
            USAGE,
        )
    chosen = _with_address(settings(data, config), host, port)
    log_lines.to_stderr()
    with opened(chosen.data) as premises:
        _check_keys(chosen, premises)
        _run(chosen, premises)


def _with_address(chosen: Settings, host: str | None, port: int | None) -> Settings:
    server = chosen.options.server
    server = structs.replace(
        server,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
    )
    return structs.replace(chosen, options=structs.replace(chosen.options, server=server))


def _run(chosen: Settings, premises: Premises) -> None:
    _allow_many_files()
    edge = build(chosen, premises, Clock())
    options = chosen.options.server
    with _listening(options.host, options.port) as listener:
        server = Server(
            edge, options, partial(_started, chosen, premises), partial(_draining, options.drain_s)
        )
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        server.run([listener])
    if not server.started:
        raise Failure("The gateway did not start; the reason is above.")


def _allow_many_files() -> None:
    """Take all the open files this process may have: each stream is two sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _started(chosen: Settings, premises: Premises, url: str) -> None:
    greet(chosen, premises, url)
    gc.collect()
    gc.freeze()


def _draining(patience_s: float, requests: int) -> None:
    """Say on stderr why the server does not stop at once."""
    err().print(
        f"Stopping after {requests} open request{'s' * (requests != 1)}, "
        f"in {patience_s:g} s at the latest. Ctrl-C again stops now."
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End as asked. The server drains first, and then repeats the signal."""
    sys.exit(0)


def _check_keys(chosen: Settings, premises: Premises) -> None:
    """Raise Failure when others could reach a gateway that nobody has a key for."""
    host = chosen.options.server.host
    if is_loopback(host) or premises.has_usable_key():
        return
    raise Failure(
        f"{host} can be reached by others, and there is no key yet. "
        f"Make one first: dragoman keys create NAME{data_words(chosen)}",
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
