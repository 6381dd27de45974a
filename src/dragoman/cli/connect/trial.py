"""The self-test: the steps of a client's dialect, one after the other, each timed."""

import time
from collections.abc import AsyncIterator
from typing import Literal

from msgspec import Struct

from dragoman.cli.connect.call import Broken, Caller
from dragoman.cli.connect.dialects import STEPS, NotCalled, Step
from dragoman.cli.connect.types import Client, Facts
from dragoman.cli.gateway import connected


class Finding(Struct, frozen=True, kw_only=True):
    """How a step went: what was seen or why it failed, how long it took, what to do."""

    name: str
    state: Literal["ok", "note", "broken"]
    detail: str
    ms: float
    fix: str = ""


async def trial(client: Client, facts: Facts) -> AsyncIterator[Finding]:
    """Yield how each step goes. After a key that is refused there is nothing more to try."""
    async with connected() as transport:
        caller = Caller(transport, facts.origin, facts.key)
        for name, step in STEPS[client.dialect]:
            found = await _tried(name, step, caller, facts.models.main.id)
            yield found
            if name == "key" and found.state == "broken":
                return


async def _tried(name: str, step: Step, caller: Caller, model: str) -> Finding:
    began = time.monotonic()
    try:
        detail = await step(caller, model)
    except Broken as broken:
        fix = broken.fix.replace("MODEL", model)
        return Finding(name=name, state="broken", detail=str(broken), ms=_since(began), fix=fix)
    except NotCalled:
        said = f"{model} answered in words and called no tool"
        fix = "Agents need tools: choose a model that calls them with --model."
        return Finding(name=name, state="note", detail=said, ms=_since(began), fix=fix)
    return Finding(name=name, state="ok", detail=detail, ms=_since(began))


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
