"""The way of what was said: bounded, repeated while nobody answers, counted where it is lost."""

from collections.abc import Sequence

import pytest

from dragoman.core.errors import Unavailable
from dragoman.records import content as way
from dragoman.records.content import Content, Contents, Kept, unpacked
from dragoman.records.content_rows import Forgotten, find, forget, forget_before, store
from dragoman.store.batch import BatchOptions
from dragoman.store.sql import Database

QUICK = BatchOptions(capacity=3, size=2, interval_s=0.01, closing_s=0.2)


def content(id_: str, size: int = 100, at: float = 0.0, account: str = "a") -> Content:
    return Content(id=id_, account=account, key_hash="k", created_at=at, body=b"x" * size)


class Shelf:
    """Takes what is delivered, unless it is silent."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.silent = False
        self.broken = False

    async def __call__(self, kept: Sequence[Kept]) -> None:
        if self.silent:
            raise Unavailable("silent")
        if self.broken:
            raise ValueError("a defect")
        self.kept += kept


async def test_it_is_delivered_packed() -> None:
    shelf = Shelf()
    contents = Contents(shelf, QUICK)
    contents.put(content("1", 10_000))
    await contents.flush()
    (kept,) = shelf.kept
    assert (kept.id, kept.account, kept.key_hash) == ("1", "a", "k")
    assert len(kept.packed) < 100
    assert unpacked(kept) == b"x" * 10_000


async def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "MOST_WAITING_BYTES", 250)
    shelf = Shelf()
    contents = Contents(shelf, QUICK)
    for number in range(3):
        contents.put(content(str(number)))
    assert contents.lost == 1
    await contents.flush()
    contents.put(content("3"))
    await contents.flush()
    assert [each.id for each in shelf.kept] == ["0", "1", "3"]
    assert contents.lost == 1


async def test_the_number_that_waits_is_bounded_too() -> None:
    contents = Contents(Shelf(), QUICK)
    for number in range(5):
        contents.put(content(str(number)))
    assert contents.lost == 2


async def test_a_silent_keeper_is_asked_again_and_given_up_at_the_end() -> None:
    shelf = Shelf()
    contents = Contents(shelf, QUICK)
    shelf.silent = True
    contents.put(content("1"))
    with pytest.raises(Unavailable):
        await contents.flush()
    shelf.silent = False
    await contents.flush()
    assert [each.id for each in shelf.kept] == ["1"]
    shelf.silent = True
    contents.put(content("2"))
    await contents.close()
    assert contents.lost == 1


async def test_what_is_refused_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "MOST_WAITING_BYTES", 100)
    shelf = Shelf()
    contents = Contents(shelf, QUICK)
    shelf.broken = True
    contents.put(content("1"))
    with pytest.raises(ValueError, match="a defect"):
        await contents.flush()
    shelf.broken = False
    contents.put(content("2"))
    await contents.flush()
    assert ([each.id for each in shelf.kept], contents.lost) == (["2"], 1)


def row(id_: str, at: float, account: str = "a", key_hash: str = "k") -> Kept:
    return Kept(
        id=id_, account=account, key_hash=key_hash, created_at=at, packed=b"p" + id_.encode()
    )


def test_it_is_stored_once_and_found_by_its_account_only(db: Database) -> None:
    db.run_now(store([row("1", 1.0)]))
    db.run_now(store([row("1", 1.0), row("2", 2.0)]))
    assert db.read_now(find("1", "a")) == row("1", 1.0)
    assert db.read_now(find("1", "b")) is None
    assert db.read_now(find("3", "a")) is None


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (Forgotten(account="a"), {"4"}),
        (Forgotten(account="a", before=2.0), {"2", "3", "4"}),
        (Forgotten(account="a", id="2"), {"1", "3", "4"}),
        (Forgotten(account="a", id="4"), {"1", "2", "3", "4"}),
        (Forgotten(account="a", key_hash="l"), {"1", "2", "4"}),
    ],
)
def test_it_is_forgotten_as_wanted(db: Database, wanted: Forgotten, left: set[str]) -> None:
    rows = [row("1", 1.0), row("2", 2.0), row("3", 3.0, key_hash="l"), row("4", 1.0, account="b")]
    db.run_now(store(rows))
    assert db.run_now(forget(wanted)) == 4 - len(left)
    found = {each.id for each in rows if db.read_now(find(each.id, each.account))}
    assert found == left


def test_it_is_forgotten_when_it_is_old(db: Database) -> None:
    db.run_now(store([row("1", 1.0), row("2", 2.0)]))
    assert db.run_now(forget_before(2.0)) is False
    assert db.read_now(find("1", "a")) is None
    assert db.read_now(find("2", "a")) is not None
