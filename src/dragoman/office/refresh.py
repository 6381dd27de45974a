"""Replace the catalog by a newer one: fetch, check, compare, put into force.

Nothing that is wrong gets past the check, and a price that moved more than fivefold
waits until `approve`. A server notices by itself what another process put into
force: see `upkeep`.
"""

import asyncio
import hashlib
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import Hold
from dragoman.catalog.check import MOST_BYTES, Checked, check
from dragoman.catalog.overlay import by_key
from dragoman.core.clock import Clock
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.office.archive import Archive, Attempt, Edition
from dragoman.office.shelf import rows_of, shipped_digest

LIMITS = Limits(head_s=30.0, idle_s=30.0, body_bytes=MOST_BYTES)


class Refused(Exception):
    """A catalog that does not come into force. `problems` says why, a sentence each."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{source}: {problems[0]}")
        self.source = source
        self.problems = problems


class Unknown(Exception):
    """An approval of something that does not wait."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What a refresh did: what the file holds, how much of that is new, what waits.

    Not `changed` is a file that its server calls the same as last time.
    """

    source: str
    changed: bool = True
    models: int = 0
    endpoints: int = 0
    added: int = 0
    repriced: int = 0
    waiting: tuple[Hold, ...] = ()


class Fetched(Struct, frozen=True):
    """A file as it came. `etag` is the server's name for this state of it."""

    text: bytes
    etag: str | None = None


async def refresh(source: str, archive: Archive, transport: Transport, clock: Clock) -> Outcome:
    """Put the catalog at `source`, a file or an https address, into force.

    Raises Refused and leaves the one there is; how it went is noted either way.
    """
    now = int(clock.wall())
    try:
        known = await asyncio.to_thread(_known_etag, archive, source)
        fetched = await _fetch(source, transport, known)
        if fetched is None:
            outcome = Outcome(source=source, changed=False)
        else:
            outcome = await asyncio.to_thread(_accept, archive, source, fetched, now)
    except Refused as refused:
        attempt = Attempt(at=now, source=source, problems=refused.problems)
        await asyncio.to_thread(_note, archive, attempt)
        raise
    await asyncio.to_thread(_note, archive, Attempt(at=now, source=source))
    return outcome


def approve(archive: Archive, chosen: Collection[str] | None) -> tuple[Hold, ...]:
    """Let prices that wait come into force: by ids of endpoints or models; None: all. Blocks.

    Returns those that did. Raises Unknown for an id of which no price waits.
    """
    with archive.locked():
        edition = rows_of(shipped.load(), archive).edition
        holds = edition.holds if edition else ()
        known = {id_ for hold in holds for id_ in (hold.endpoint, hold.model)}
        if strange := sorted(set(chosen or ()) - known):
            raise Unknown(f"No price of {', '.join(strange)} waits.")
        done = tuple(each for each in holds if _is_chosen(each, chosen))
        if edition is not None and done:
            left = tuple(each for each in holds if each not in done)
            archive.amend(structs.replace(edition, holds=left))
    return done


def _is_chosen(hold: Hold, chosen: Collection[str] | None) -> bool:
    return chosen is None or hold.endpoint in chosen or hold.model in chosen


def _accept(archive: Archive, source: str, fetched: Fetched, now: int) -> Outcome:
    """Check what came against what counts, and put it into force. Blocks. Raises Refused."""
    package = shipped.load()
    with archive.locked():
        rows = rows_of(package, archive)
        checked = check(fetched.text, package.providers, rows.shipped)
        if checked.problems:
            raise Refused(source, tuple(map(str, checked.problems)))
        edition = Edition(
            source=source,
            fetched_at=now,
            digest=hashlib.sha256(fetched.text).hexdigest(),
            over=shipped_digest(),
            catalog=msgspec.Raw(fetched.text),
            etag=fetched.etag,
            holds=checked.holds,
        )
        before = rows.edition
        if before is not None and before.digest == edition.digest:
            archive.amend(edition)
        else:
            archive.keep(edition)
    return _outcome(edition, checked, rows.shipped)


def _outcome(edition: Edition, checked: Checked, before: Shipped) -> Outcome:
    known = by_key(before.models)
    after = by_key(checked.models)
    waiting = {hold.key for hold in checked.holds}
    common = after.keys() & known.keys() - waiting
    return Outcome(
        source=edition.source,
        models=len(checked.models),
        endpoints=len(after),
        added=len(after.keys() - known.keys()),
        repriced=sum(after[key].price != known[key].price for key in common),
        waiting=checked.holds,
    )


def _known_etag(archive: Archive, source: str) -> str | None:
    """Return the server's name for the edition in force, if it came from the same place. Blocks."""
    edition = rows_of(shipped.load(), archive).edition
    return edition.etag if edition is not None and edition.source == source else None


def _note(archive: Archive, attempt: Attempt) -> None:
    with archive.locked():
        archive.note(attempt)


async def _fetch(source: str, transport: Transport, etag: str | None) -> Fetched | None:
    """Return the file at `source`, None if it is still the one called `etag`. Raises Refused."""
    if "://" not in source:
        return await asyncio.to_thread(_read, source)
    if not _is_safe(source):
        raise Refused(source, ("only https addresses can be trusted with prices",))
    headers = [("Accept", "application/json"), *([("If-None-Match", etag)] if etag else ())]
    request = Request(method="GET", url=source, headers=tuple(headers))
    try:
        response = await transport.send(request, LIMITS)
        try:
            text = await response.read()
        finally:
            response.close()
    except (NetError, ValueError) as error:
        raise Refused(source, (str(error),)) from error
    if response.status == 304 and etag:
        return None
    if response.status != 200:
        raise Refused(source, (f"answered {response.status}",))
    return Fetched(text, response.headers.get("etag"))


def _read(source: str) -> Fetched:
    """Return a file as it is on disk. Blocks. Raises Refused."""
    path = Path(source)
    try:
        if not path.is_file():
            raise Refused(source, ("is no file",))
        with path.open("rb") as file:
            return Fetched(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise Refused(source, (error.strerror or str(error),)) from error


def _is_safe(url: str) -> bool:
    """Say whether what comes from `url` comes from whom it names: over TLS, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "https" or (parts.scheme == "http" and ip_address(host).is_loopback)
    except ValueError:
        return False
