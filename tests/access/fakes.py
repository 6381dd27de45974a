"""A keeper in memory and a clock worked by hand."""

import asyncio

from dragoman.access.types import Admission, Changes, Known
from dragoman.core import ids
from dragoman.core.errors import Unavailable
from dragoman.store.custody import Pepper

PREFIX = "sk-dm-v1-"
PEPPER = Pepper(bytes(32))


class HandClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeKeeper:
    """A keeper in memory, which counts, and falls silent on request."""

    def __init__(self) -> None:
        self.keys: dict[str, Known] = {}
        self.changed: list[str] = []
        self.lookups = 0
        self.at_once = 0
        self.most_at_once = 0
        self.polls = 0
        self.most_changes = 1000
        self.silent = False
        self.answers = asyncio.Event()
        self.answers.set()

    def mint(self, name: str = "laptop") -> str:
        """Add a key, and return its text."""
        text = ids.new_key(PREFIX)
        self.keys[ids.key_hash(text)] = Known(
            hash=ids.key_hash(text),
            verifier=PEPPER.sign(text),
            name=name,
            label=ids.key_label(text, PREFIX),
            created_at=0.0,
        )
        self.changed.append(ids.key_hash(text))
        return text

    def revoke(self, text: str) -> None:
        """Remove a key, and say so to who asks for changes."""
        del self.keys[ids.key_hash(text)]
        self.changed.append(ids.key_hash(text))

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        self.lookups += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        key = self.keys.get(hash_)
        try:
            await self.answers.wait()
        finally:
            self.at_once -= 1
        if self.silent:
            raise Unavailable("silent", retry_after_s=1)
        return Admission(key=key) if key is not None and key.verifier == verifier else None

    async def changes(self, since: int, after: str = "") -> Changes:
        self.polls += 1
        await self.answers.wait()
        if self.silent:
            raise Unavailable("silent", retry_after_s=1)
        found = sorted({each for each in self.changed[since:] if each > after})
        page = tuple(found[: self.most_changes])
        return Changes(len(self.changed), page, more=len(found) > len(page))

    async def news(self, within_s: float) -> None:
        await asyncio.sleep(within_s)
