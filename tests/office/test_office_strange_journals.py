"""Journals as a keeper may find them: its money is right before they are mended, and after."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import text

from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger import acts, leases, proof
from dragoman.ledger.acts import Final as Ended
from dragoman.ledger.acts import Start
from dragoman.ledger.purses import Balance, Purse
from dragoman.ledger.types import Draw
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.premises import Premises, open_premises
from dragoman.records import lines
from dragoman.store.journal import folder, frames
from dragoman.store.journal.applier import Applier
from dragoman.store.journal.frames import Header
from dragoman.store.options import DatabaseOptions
from tests.records.samples import PLAIN

COUNT: Final = 10
COST: Final = 100
LEASED: Final = 10_000
LIMIT: Final = 1_000_000
FIRST, SECOND, THIRD = (f"{number:08}.journal" for number in (1, 2, 3))

Change = Callable[[Path], object]

_encoded, _decoded = msgspec.msgpack.encode, msgspec.msgpack.decode


@pytest.fixture
def premises(tmp_path: Path, furnished: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", furnished)
    yield opened
    opened.close()


def _as_is(payload: bytes) -> tuple[bytes]:
    return (payload,)


class House:
    """A keeper's databases and its folder of journals, each of a dead worker with its own purse."""

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        self.root = premises.journals
        self.node = premises.node()
        self.refused: dict[str, str] = {}

    async def left_by(
        self, name: str, node: str | None = None, more: Callable[[bytes], Iterable[bytes]] = _as_is
    ) -> Path:
        """Leave the journal of a worker that leased, served ten requests, and died.

        For each of its records it has what `more` makes of it.
        """
        home = folder.create(self.root, node or self.node)
        keeper = Bookkeeper(self.premises.ledger, self.premises.records, node or self.node, Clock())
        await keeper.begin(home.path.name)
        purse = Purse(f"key:{name}", "total", 0)
        ledger = self.premises.ledger
        ledger.run_now(lambda connection: leases.set_limit(connection, purse, LIMIT))
        ledger.run_now(leases.take(home.path.name, {purse.id: LEASED}, 0.0))
        payloads = (each for told in _told(name, purse) for each in more(told))
        written = _written(home.path.name, payloads)
        half = len(written) // 2
        base = sum(map(len, written[:half]))
        folder.write_all(home.descriptor, b"".join(written[:half]))
        second = folder.add_segment(home.path, Header(home.path.name, home.first.node, 2, base))
        folder.write_all(second, b"".join(written[half:]))
        os.close(home.descriptor)
        os.close(second)
        home.lock.release()
        return home.path

    async def keep(self, node: str | None = None) -> None:
        """Be a keeper that starts, looks at what is there twice, and stops."""
        node = node or self.node
        books = Bookkeeper(self.premises.ledger, self.premises.records, node, Clock())
        applier = Applier(self.root, node, books)
        for _ in range(2):
            await applier.catch_up()
        self.refused = dict(applier.refused)
        applier.close()

    def booked(self, name: str) -> Balance | None:
        """Return what stands in the purse of a worker. The proof holds, whatever there is."""
        id_ = Purse(f"key:{name}", "total", 0).id
        assert self.premises.ledger.run_now(proof.prove).violations == ()
        return self.premises.ledger.run_now(lambda connection: leases.balance(connection, id_))

    def on_record(self, name: str) -> int:
        query = text("SELECT count(*) FROM generation WHERE id LIKE :name")
        work = lambda c: c.execute(query, {"name": f"{name}-%"}).scalar_one()  # noqa: E731
        found: int = self.premises.records.run_now(work)
        return found


def _told(name: str, purse: Purse) -> Iterator[bytes]:
    for number in range(COUNT):
        id_ = f"{name}-{number}"
        yield acts.encode(Start(id_, 1.0, "default", "k" * 64, "m", False, 200, (purse.id,)))  # noqa: FBT003
        record = lines.line(replace(PLAIN, id=id_, cost_nanos=NanoUsd(COST)))
        draws = (Draw(purse.id, NanoUsd(COST)),)
        yield acts.encode(Ended(id_, "default", NanoUsd(COST), NanoUsd(0), draws, record))


def _written(incarnation: str, payloads: Iterator[bytes]) -> list[bytes]:
    salt, offset, written = frames.salt_of(incarnation), 0, []
    for payload in payloads:
        written.append(frames.encode(payload, salt, offset))
        offset += len(written[-1])
    return written


def _in(name: str, change: Callable[[bytes], bytes]) -> Change:
    """Return a change of the bytes of one file."""

    def changed(path: Path) -> None:
        (path / name).write_bytes(change((path / name).read_bytes()))

    return changed


def _flipped(data: bytes) -> bytes:
    """Change a byte in the middle; a second time that mends it."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _later(version: int) -> Callable[[bytes], bytes]:
    """Return what gives a segment another version of the format (docs/journal.md)."""

    def changed(data: bytes) -> bytes:
        length = int.from_bytes(data[10:12])
        head = data[:8] + version.to_bytes(2) + data[10 : length - 4]
        return head + crc32(head).to_bytes(4) + data[length:]

    return changed


TROUBLES: Final[dict[str, tuple[Change, Change, int]]] = {
    "the second segment is of a later release": (_in(SECOND, _later(2)), _in(SECOND, _later(1)), 0),
    "a hole in the first segment": (_in(FIRST, _flipped), _in(FIRST, _flipped), 2),
    "a hole in the second segment": (_in(SECOND, _flipped), _in(SECOND, _flipped), 7),
    "the first segment is missing": (
        lambda path: (path / FIRST).rename(path / "kept"),
        lambda path: (path / "kept").rename(path / FIRST),
        0,
    ),
    "a segment is there twice": (
        lambda path: shutil.copy(path / FIRST, path / THIRD),
        lambda path: (path / THIRD).unlink(),
        0,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_journal_in_trouble_frees_nothing_and_is_booked_once_it_is_mended(
    premises: Premises, trouble: str
) -> None:
    spoil, mend, whole = TROUBLES[trouble]
    house = House(premises)
    bad, _ = await house.left_by("bad"), await house.left_by("good")
    spoil(bad)
    for _ in range(2):
        await house.keep()
        assert list(house.refused) == [bad.name]
        assert house.booked("good") == Balance(LIMIT, COUNT * COST, 0)
        assert house.booked("bad") == Balance(LIMIT, whole * COST, LEASED - whole * COST)
        assert house.on_record("bad") == whole
    mend(bad)
    for _ in range(2):
        await house.keep()
        assert house.refused == {}
        assert house.booked("bad") == Balance(LIMIT, COUNT * COST, 0)
        assert (house.on_record("bad"), house.on_record("good")) == (COUNT, COUNT)


async def test_a_copy_of_a_journal_books_nothing(premises: Premises) -> None:
    house = House(premises)
    path = await house.left_by("good")
    shutil.copytree(path, house.root / ("ab" * 16))
    for _ in range(2):
        await house.keep()
        assert list(house.refused) == ["ab" * 16]
        assert house.booked("good") == Balance(LIMIT, COUNT * COST, 0)
        assert house.on_record("good") == COUNT


async def test_another_nodes_journal_is_booked_by_its_own_node(premises: Premises) -> None:
    house = House(premises)
    path = await house.left_by("far", node="elsewhere")
    await house.keep()
    assert list(house.refused) == [path.name]
    assert house.booked("far") == Balance(LIMIT, 0, LEASED)
    for _ in range(2):
        await house.keep("elsewhere")
        assert house.booked("far") == Balance(LIMIT, COUNT * COST, 0)
        assert house.on_record("far") == COUNT


async def test_a_torn_end_concludes_what_it_had_begun(premises: Premises) -> None:
    house = House(premises)
    path = await house.left_by("torn")
    os.truncate(path / SECOND, (path / SECOND).stat().st_size - 1)
    for _ in range(2):
        await house.keep()
        assert house.refused == {}
        assert house.booked("torn") == Balance(LIMIT, (COUNT - 1) * COST, 0)
        assert house.on_record("torn") == COUNT, "the last one as lost"


async def test_what_a_later_release_adds_to_an_act_is_passed_over(premises: Premises) -> None:
    house = House(premises)
    await house.left_by("new", more=lambda told: [_encoded([*_decoded(told), "new"])])
    await house.keep()
    assert house.refused == {}
    assert house.booked("new") == Balance(LIMIT, COUNT * COST, 0)
    assert house.on_record("new") == COUNT


async def test_an_act_of_a_later_release_is_not_passed_over(premises: Premises) -> None:
    house = House(premises)
    path = await house.left_by("new", more=lambda told: [told, _encoded(["x", "new", 7])])
    await house.keep()
    assert list(house.refused) == [path.name]
    assert house.booked("new") == Balance(LIMIT, 0, LEASED)
    assert house.on_record("new") == 0
