"""Everything an installation is, in one file, and an installation from such a file.

A backup holds every row as JSON, which steps of each room had been taken, the pepper, and
the keys that accounts' own credentials are sealed under. It
can be made beside running servers, each database as it was at one moment. To restore it, the
tables are made by the same steps, filled, and brought to today's shape by the steps since: so
a backup can be restored by this and every later release, on SQLite or PostgreSQL alike,
whichever it came from. A database is replaced in one transaction: wholly, or not at all.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, MetaData, inspect, text

from dragoman import __version__
from dragoman.access import byok_tables, seal
from dragoman.access.vault import Vault
from dragoman.core.errors import Unavailable
from dragoman.office.premises import JOURNALS, KEK, PEPPER, Home, Rooms, another_pepper
from dragoman.store.bundle import UNWRITTEN, Bundle, Damaged, writing
from dragoman.store.custody import CustodyError, read_pepper, replace_pepper
from dragoman.store.dump import Contents, contents, lines, load, tables
from dragoman.store.kek import KekFile
from dragoman.store.migrations import LOCK_S, NewerDatabase, migrate, steps
from dragoman.store.sql import Work, be_patient

FORM = 1
MANIFEST = "manifest.json"


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup holds: `steps` per room, and the tables, each after those it refers to."""

    form: int
    release: str
    created_at: float
    steps: dict[str, int]
    tables: tuple[Contents, ...]


class NotEmpty(Exception):
    """There is an installation already where a backup was to be restored."""


def back_up(homes: tuple[Home, ...], pepper: Path, file: Path, now: float) -> Manifest:
    """Write a backup of these databases and of the pepper. Blocks.

    Raises Unavailable, CustodyError when the secrets are not those of the databases, and
    OSError when the file cannot be written.
    """
    kept = read_pepper(pepper)  # a file that others can read, or that is none, is refused
    keks = KekFile(pepper.with_name(KEK))
    taken: dict[str, int] = {}
    found: list[Contents] = []
    with writing(file) as bundle:

        def work(connection: Connection) -> None:
            be_patient(connection)
            own = steps(connection)
            taken.update(own)
            if own.get(seal.ROOM) and seal.is_of_another(connection, kept):
                raise CustodyError(f"{another_pepper(pepper)} Put it back before a backup is made.")
            if own.get(byok_tables.ROOM):
                Vault(keks).check(connection)
            for table in tables(connection):
                bundle.add_lines(_member(table.name), lines(connection, table))
                found.append(contents(table))

        for home in homes:
            _read(home, work)
        manifest = Manifest(
            form=FORM, release=__version__, created_at=now, steps=taken, tables=tuple(found)
        )
        bundle.add(PEPPER, pepper.read_bytes())
        if keks.path.exists():
            bundle.add(KEK, keks.text().encode())
        bundle.add(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _read(home: Home, work: Work[None]) -> None:
    """Have `work` read a database. Raises Unavailable, and OSError for a file that it writes."""
    try:
        home.database.read_now(work)
    except Unavailable as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in UNWRITTEN:
            raise error.__cause__ from error
        raise


def manifest_of(bundle: Bundle, rooms: Rooms) -> Manifest:
    """Return what a bundle holds. Raises Damaged, and NewerDatabase if it is of a later release."""
    try:
        manifest = msgspec.json.decode(bundle.text(MANIFEST), type=Manifest)
    except msgspec.DecodeError as error:
        raise Damaged(f"{MANIFEST}: {error}") from error
    known = {room: len(migrations) for room, migrations in rooms}
    newer = [room for room, number in manifest.steps.items() if number > known.get(room, 0)]
    if manifest.form > FORM or newer:
        raise NewerDatabase(
            f"The backup was made by release {manifest.release}, which is later than this one "
            f"({__version__}). Restore it with that release."
        )
    return manifest


def restore(
    bundle: Bundle, homes: tuple[Home, ...], pepper: Path, now: float, *, force: bool
) -> Mapping[str, int]:
    """Replace these databases and the pepper by those of a backup; return the rows per table.

    Blocks. Raises Damaged, Misfit, NewerDatabase, Unavailable, and NotEmpty unless `force`.
    """
    manifest = manifest_of(bundle, [room for home in homes for room in home.rooms])
    if not force and (pepper.exists() or not all(_is_empty(home) for home in homes)):
        raise NotEmpty("There is an installation already")
    ledger, text = homes[0].database, bundle.text(PEPPER).decode("ascii", "replace")
    before = ledger.run_now(seal.mark)
    loading = _Loading(bundle=bundle, manifest=manifest, now=now)
    counts: dict[str, int] = {}
    for home in homes:
        rest = {each.table for each in manifest.tables} - counts.keys()
        must = rest if home is homes[-1] else set[str]()
        counts |= home.database.run_now(loading.into(home, must))
    is_another = before != ledger.run_now(seal.mark) if before else _differs(pepper, text)
    if is_another:
        _set_aside(pepper.with_name(JOURNALS))
    replace_pepper(pepper, text)
    if KEK in bundle.names:
        KekFile(pepper.with_name(KEK)).replace(bundle.text(KEK).decode("ascii", "replace"))
    return counts


class _Loading(Struct, frozen=True, kw_only=True):
    """A backup on its way into databases."""

    bundle: Bundle
    manifest: Manifest
    now: float

    def into(self, home: Home, must: set[str]) -> Work[dict[str, int]]:
        """Replace this database; return the rows per table. All tables of `must` must be there."""

        def work(connection: Connection) -> dict[str, int]:
            be_patient(connection, lock_s=LOCK_S)
            _raze(connection)
            for room, migrations in home.rooms:
                reached = self.manifest.steps.get(room, 0)
                migrate(connection, room, migrations[:reached], self.now)
            here = {table.name: table for table in tables(connection)}
            if unknown := must - here.keys():
                raise Damaged(f"nothing here has a table {min(unknown)!r}")
            counts = {
                each.table: load(connection, here[each.table], each, self._lines(each))
                for each in self.manifest.tables
                if each.table in here
            }
            for room, migrations in home.rooms:
                migrate(connection, room, migrations, self.now)
            return counts

        return work

    def _lines(self, table: Contents) -> Iterator[bytes]:
        return self.bundle.lines(_member(table.table))


def _raze(connection: Connection) -> None:
    """Remove every table, in a schema of PostgreSQL all else, too."""
    if connection.dialect.name == "postgresql":
        schema = connection.execute(text("SELECT current_schema()")).scalar_one()
        connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
        return
    metadata = MetaData()
    metadata.reflect(connection)
    metadata.drop_all(connection)


def _differs(file: Path, text: str) -> bool:
    return file.exists() and file.read_text("ascii", "replace") != text


def _set_aside(journals: Path) -> None:
    """Keep the journals of another installation from being booked on these books."""
    if journals.exists():
        places = (journals.with_name(f"{journals.name}.old-{n}") for n in count(1))
        journals.rename(next(place for place in places if not place.exists()))


def _is_empty(home: Home) -> bool:
    return not home.database.run_now(lambda connection: inspect(connection).get_table_names())


def _member(table: str) -> str:
    return f"tables/{table}.jsonl"
