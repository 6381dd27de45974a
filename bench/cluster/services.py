"""What nodes have in common: a PostgreSQL server, Redis, and nginx with the shipped settings."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.cluster.node import ROOT
from bench.process import free_port, running, wait_for
from tests import postgres

BALANCER: Final = ROOT / "deploy" / "nginx.conf"
SERVER: Final = re.compile(r"^( *server )([\w.-]+:\d+)( .*;)$", re.MULTILINE)
LISTEN: Final = re.compile(r"^( *listen )\d+;$", re.MULTILINE)
TEMPORARY: Final = re.compile(r"(?<= )/tmp(?=/)")


class Database(msgspec.Struct, frozen=True):
    """Where the nodes' state is; `stop` and `start` are there for a server of our own."""

    section: dict[str, str]
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None


@contextmanager
def database() -> Iterator[Database]:
    """Have an empty schema of the server that `DATABASE_URL` names, or a server of our own.

    Raises SystemExit where there is neither.
    """
    if url := os.environ.get("DATABASE_URL"):
        with postgres.schema(url) as options:
            yield Database({"url": url, "schema": options.schema})
        return
    try:
        with postgres.own_server() as own:
            yield Database({"url": own.url}, own.stop, own.start)
    except postgres.NoServer as why:
        raise SystemExit(f"{why}; set DATABASE_URL, or run `make setup-dev`") from None


@contextmanager
def redis(directory: Path) -> Iterator[str | None]:
    """Have a Redis or Valkey server; yield its address, None where neither is installed."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        yield None
        return
    port, log = free_port(), directory / "redis.log"
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with running([program, *options, "--dir", str(directory)], {}, log):
        wait_for(port, log)
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def balancer(directory: Path, ports: Sequence[int]) -> Iterator[int | None]:
    """Run nginx before the nodes; yield its port, None where it is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        yield None
        return
    port, log, conf = free_port(), directory / "nginx.log", directory / "nginx.conf"
    conf.write_text(adapted(BALANCER.read_text(), directory, port, ports))
    command = [program, "-e", "stderr", "-g", "daemon off;", "-c", str(conf)]
    with running(command, {}, log):
        wait_for(port, log)
        yield port


def adapted(conf: str, directory: Path, port: int, nodes: Sequence[int]) -> str:
    """Return the shipped settings of nginx with addresses and paths of this machine.

    Raises ValueError unless they name as many nodes as there are.
    """
    if len(SERVER.findall(conf)) != len(nodes) or len(LISTEN.findall(conf)) != 1:
        raise ValueError(f"{BALANCER} is for another number of nodes, or listens twice")
    left = iter(nodes)
    conf = SERVER.sub(lambda found: f"{found[1]}127.0.0.1:{next(left)}{found[3]}", conf)
    conf = LISTEN.sub(rf"\g<1>127.0.0.1:{port};", conf)
    return TEMPORARY.sub(str(directory), conf)
