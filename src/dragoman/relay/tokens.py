"""How many tokens a prompt takes, about: asked of a helper process, which is begun when needed.

The helper (`token_helper`) has OpenAI's ranks; other tokenizers make of the same text up to a third
more or fewer, so what it says is an estimate for all but OpenAI's models. It serves one
request after the other. Whoever comes when too many wait, with too much text, or
while no helper can be had, gets an estimate by the bytes. It ends with this process, as its
input does, and one that does not answer in time is ended, and replaced after a pause.
"""

import asyncio
import contextlib
import logging
import re
import sys
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from dragoman.core.clock import Clock
from dragoman.relay.token_frames import LENGTH_BYTES, NOBODY_KNOWS
from dragoman.wire.hub import Members

MOST_WAITING: Final = 16
MOST_BYTES: Final = 4 * 2**20
PATIENCE_S: Final = 5.0
"""How long an answer may take from when it is asked for, the start of the helper included."""
PAUSE_S: Final = 10.0
"""After a helper failed nobody tries to begin another for so long."""
BYTES_PER_TOKEN: Final = 4
HELPER: Final = (sys.executable, "-m", "dragoman.relay.token_helper")

_ASKED = ("model", "messages", "tools")
_MEDIUM = re.compile(rb'("data"\s*:\s*"|"data:[^,"]{3,100},)[A-Za-z0-9+/=_-]{64,}')
"""What of a body is a medium, and no text."""

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class Counted(Struct, frozen=True):
    """About how many tokens: `by` the ranks of a tokenizer, or by no more than the bytes."""

    tokens: int
    estimated: bool = True
    by: Literal["ranks", "bytes"] = "ranks"


class TokenCounter:
    """Counts the tokens of prompts. One for a process, used by one event loop."""

    def __init__(self, clock: Clock, command: Sequence[str] = HELPER) -> None:
        self._clock = clock
        self._command = command
        self._helper: asyncio.subprocess.Process | None = None
        self._begun: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._expected = 0
        self._not_before = float("-inf")

    async def count(self, members: Members) -> Counted:
        """Return about how many tokens the prompt of a chat takes. Never fails."""
        body = _without_media(members)
        if len(body) <= MOST_BYTES and self._expected < MOST_WAITING:
            self._expected += 1
            try:
                tokens = await self._ask(body)
            finally:
                self._expected -= 1
            if tokens is not None:
                return Counted(tokens)
        return Counted(-(-len(body) // BYTES_PER_TOKEN), by="bytes")

    async def run(self) -> None:
        """Wait until cancelled, and end the helper then."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """End the helper, if there is one; it may be begun again."""
        helper, begun = self._helper, self._begun
        self._helper = self._begun = None
        if begun is not None:
            begun.cancel()
        if helper is not None and helper.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                helper.kill()
            await helper.wait()

    async def _ask(self, body: bytes) -> int | None:
        """Return what the helper says, None where it does not, or not in time."""
        if self._clock.monotonic() < self._not_before:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                helper = await self._running()
                assert helper.stdin is not None, "it was asked for"
                answer = asyncio.get_running_loop().create_future()
                self._waiting.append(answer)
                helper.stdin.write(len(body).to_bytes(LENGTH_BYTES) + body)
                tokens: int = await answer
        except (OSError, TimeoutError) as error:
            await self._failed(error)
            return None
        return None if tokens == NOBODY_KNOWS else tokens

    async def _running(self) -> asyncio.subprocess.Process:
        """Return the helper, begun by the first who needs it. Raises OSError."""
        if self._helper is None or self._helper.returncode is not None:
            if self._begun is None or self._begun.done():
                self._begun = asyncio.create_task(self._begin())
            await asyncio.shield(self._begun)
        if self._helper is None:
            raise OSError("the helper was ended")
        return self._helper

    async def _begin(self) -> None:
        helper = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for us: the helper ends when we have
        )
        self._helper = helper
        self._waiting = deque()
        self._reading = asyncio.create_task(self._read(helper, self._waiting))

    @staticmethod
    async def _read(
        helper: asyncio.subprocess.Process, waiting: deque[asyncio.Future[int]]
    ) -> None:
        """Hand each answer to whom it is for, who may have gone; fail them all at the end."""
        assert helper.stdout is not None, "it was asked for"
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                said = await helper.stdout.readexactly(LENGTH_BYTES)
                answer = waiting.popleft()
                if not answer.done():
                    answer.set_result(int.from_bytes(said))
        await helper.wait()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(OSError(f"the helper ended with {helper.returncode}"))

    async def _failed(self, error: Exception) -> None:
        if self._clock.monotonic() >= self._not_before:
            self._not_before = self._clock.monotonic() + PAUSE_S
            _log.warning("tokens.no_helper", extra={"reason": repr(error)})
        await self.close()


def _without_media(members: Members) -> bytes:
    """Return the part of a chat that is counted, without what media carry."""
    return _MEDIUM.sub(rb"\1", _encode({name: members[name] for name in _ASKED if name in members}))
