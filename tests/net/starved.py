"""A process that may open no further file asks for a page, and writes how that failed.

It asks twice, for an address and for a name to be resolved: a line each. It is a process of its own
because the limit is the whole process's, and so would be the damage to whatever else the tests keep
running in theirs.

    python -m tests.net.starved PORT
"""

import asyncio
import resource
import sys
from collections.abc import Sequence

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.resolver import Resolver, SystemResolver
from dragoman.net.types import Limits, NetError, Request


async def literal(host: str, _port: int) -> Sequence[str]:
    return [host]


async def ask(port: str, resolve: Resolver) -> str:
    client = HttpClient(Clock(), resolve=resolve)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        await client.send(Request(method="GET", url=f"http://127.0.0.1:{port}/"), Limits())
    except NetError as error:
        return f"{error.phase}: {error.detail}\n"
    return "answered\n"


if __name__ == "__main__":
    for resolve in (literal, SystemResolver()):
        sys.stdout.write(asyncio.run(ask(sys.argv[1], resolve)))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
