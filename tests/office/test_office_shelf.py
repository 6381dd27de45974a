"""The catalog of the moment: what counts, and what is set aside."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import Declared, ProviderOptions
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.net.types import Limits, Request, Response
from dragoman.office.archive import CURRENT, FOLDER, PREVIOUS, Archive, Attempt, Edition
from dragoman.office.found import FoundFile
from dragoman.office.refresh import refresh
from dragoman.office.shelf import Shelf, shipped_digest
from tests.access.fakes import HandClock
from tests.office.editions import CHEAP, clock_of, price_of, shelf_of, text, write

JANUARY = 1_924_992_000
"""The first second of 2031."""


class Nowhere:
    """A transport that nobody needs."""

    async def send(self, request: Request, limits: Limits) -> Response:
        raise AssertionError(request.url, limits)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "data")


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


async def keep(archive: Archive, content: bytes, tmp_path: Path) -> None:
    """Put a catalog into force, as another process would."""
    source = write(tmp_path / "new.json", content)
    await refresh(source, archive, Nowhere(), clock_of(HandClock()))


async def test_without_an_edition_the_shipped_rows_count(archive: Archive, hand: HandClock) -> None:
    shelf = shelf_of(archive, hand)
    assert shelf.rows.edition is None
    assert not shelf.is_stale
    assert not price_of(shelf)
    assert "openai/gpt-4o" in shelf.catalog().models


async def test_an_edition_that_comes_into_force_is_noticed_and_taken_up(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    shelf = shelf_of(archive, hand)
    before = shelf.catalog()
    await keep(archive, text(), tmp_path)
    assert shelf.is_stale
    assert shelf.catalog() is before
    shelf.reload()
    assert price_of(shelf) == (1000,)
    assert not shelf.is_stale
    assert price_of(shelf_of(archive, hand)) == (1000,)


async def test_a_price_comes_to_hold_on_its_day(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    upcoming = [{"from": "2031-01-01", "price": {**CHEAP, "prompt": "0.000003"}}]
    await keep(archive, text(upcoming=upcoming), tmp_path)
    shelf = shelf_of(archive, hand)
    assert (shelf.next_price_at, price_of(shelf)) == (JANUARY, (1000,))
    hand.now = JANUARY - 1
    assert not shelf.is_stale
    hand.now = JANUARY
    assert shelf.is_stale
    shelf.reload()
    assert (shelf.is_stale, shelf.next_price_at, price_of(shelf)) == (False, None, (3000,))


async def test_what_hosts_tell_joins_and_survives_a_reload(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    told = shelf_of(archive, hand).catalog().models["openai/gpt-4o"]
    renamed = msgspec.structs.replace(told, id="mine/one", endpoints=tuple(
        msgspec.structs.replace(each, id="groq|mine/one", model="mine/one", provider="groq",
                                upstream="mine-one")
        for each in told.endpoints[:1]
    ))  # fmt: skip
    shelf = shelf_of(archive, hand)
    shelf.take([renamed])
    assert "mine/one" in shelf.catalog().models
    await keep(archive, text(), tmp_path)
    shelf.reload()
    assert {"mine/one", "acme/one"} <= set(shelf.catalog().models)


DAMAGE = [
    (b"", "truncated"),
    (b'{"source": "\xff"}', "utf-8"),
    (b"{}", "missing required field"),
    (b'{"catalog":' + b"[" * 100_000, "recursion"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE)
async def test_an_edition_that_cannot_be_read_yields_to_the_one_before(
    damage: bytes, reason: str, archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    await keep(archive, text(), tmp_path)
    await keep(archive, text(name="acme/two"), tmp_path)
    (tmp_path / "data" / FOLDER / CURRENT).write_bytes(damage)
    shelf = shelf_of(archive, hand)
    assert price_of(shelf) == (1000,)
    assert len(shelf.rows.problems) == 1
    assert reason in shelf.rows.problems[0]
    (tmp_path / "data" / FOLDER / PREVIOUS).write_bytes(damage)
    shelf.reload()
    assert shelf.rows.edition is None
    assert len(shelf.rows.problems) == 2


async def test_an_edition_that_was_changed_by_hand_is_checked_again(
    archive: Archive, hand: HandClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await keep(archive, text(), tmp_path)
    current = tmp_path / "data" / FOLDER / CURRENT
    current.write_bytes(current.read_bytes().replace(b'"0.000001"', b'"7"'))
    shelf = shelf_of(archive, hand)
    assert not price_of(shelf)
    assert "is absurd" in shelf.rows.problems[0]
    assert "catalog.set_aside" in caplog.text


async def test_an_edition_for_another_package_is_set_aside(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    await keep(archive, text(), tmp_path)
    current = tmp_path / "data" / FOLDER / CURRENT
    current.write_bytes(current.read_bytes().replace(shipped_digest().encode(), b"0" * 64))
    shelf = shelf_of(archive, hand)
    assert shelf.rows.edition is None
    assert "another version of Dragoman" in shelf.rows.problems[0]


CLASH = Declared(aliases={"acme/one": {"openai/gpt-4o": 1}})


async def test_an_edition_at_odds_with_the_settings_does_not_stop_a_start(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    await keep(archive, text(), tmp_path)
    shelf = shelf_of(archive, hand, CLASH)
    assert shelf.rows.edition is None
    assert shelf.rows.problems == ("aliases.acme/one: is the id of a model",)
    assert "openai/gpt-4o" in shelf.catalog().models


async def test_an_edition_at_odds_with_the_settings_leaves_the_catalog_there_is(
    archive: Archive, hand: HandClock, tmp_path: Path
) -> None:
    shelf = shelf_of(archive, hand, CLASH)
    before, rows = shelf.catalog(), shelf.rows
    await keep(archive, text(), tmp_path)
    with pytest.raises(CatalogError, match="is the id of a model"):
        shelf.reload()
    assert shelf.catalog() is before
    assert shelf.rows is rows
    assert not shelf.is_stale


def test_settings_that_make_no_catalog_are_refused(archive: Archive, hand: HandClock) -> None:
    with pytest.raises(CatalogError):
        shelf_of(archive, hand, Declared(aliases={"openai/gpt-4o": {"openai/gpt-4o-mini": 1}}))
    with pytest.raises(CatalogError, match="base_url"):
        shelf_of(archive, hand, Declared(providers={"mine": ProviderOptions()}))


def test_a_catalog_is_made_only_when_asked_for(
    archive: Archive, hand: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_of(archive, hand)

    def assemble(*_: Any, **__: Any) -> Catalog:
        raise AssertionError

    monkeypatch.setattr("dragoman.office.shelf.assemble", assemble)
    assert shelf.catalog() is shelf.current
    assert not shelf.is_stale


def test_an_archive_that_is_not_there_holds_nothing(archive: Archive) -> None:
    assert (archive.mark(), archive.attempt(), list(archive.editions())) == (None, None, [])


def test_an_attempt_that_cannot_be_read_is_none(archive: Archive, tmp_path: Path) -> None:
    with archive.locked():
        archive.note(Attempt(at=1, source="x"))
    assert archive.attempt() == Attempt(at=1, source="x")
    (tmp_path / "data" / FOLDER / "attempt.json").write_text("{")
    assert archive.attempt() is None


def test_nobody_else_may_look_into_the_folder(archive: Archive, tmp_path: Path) -> None:
    with archive.locked():
        pass
    for path in (tmp_path / "data", tmp_path / "data" / FOLDER):
        assert path.stat().st_mode & 0o077 == 0


def test_a_write_that_fails_leaves_what_there_was_and_no_draft(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with archive.locked():
        archive.note(Attempt(at=1, source="x"))
        monkeypatch.setattr("dragoman.office.archive.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            archive.note(Attempt(at=2, source="y"))
    assert archive.attempt() == Attempt(at=1, source="x")
    names = {path.name for path in (tmp_path / "data" / FOLDER).iterdir()}
    assert names == {"attempt.json", "lock"}


def test_an_edition_survives_its_file(archive: Archive) -> None:
    edition = Edition(
        source="x", fetched_at=1, digest="d", over="o", catalog=msgspec.Raw(b'[{"id": 1}]')
    )
    with archive.locked():
        archive.keep(edition)
    (found,) = archive.editions()
    assert isinstance(found, Edition)
    assert bytes(found.catalog) == b'[{"id": 1}]'


def test_what_hosts_tell_one_process_reaches_the_shelf_of_another(tmp_path: Path) -> None:
    archive, clock = Archive(tmp_path / "data"), clock_of(HandClock())
    keeper, worker = (
        Shelf(Declared(), {}, archive, clock, FoundFile(tmp_path / "found")) for _ in range(2)
    )
    told = Model(
        id="acme/new",
        name="New",
        created=0,
        endpoints=(
            Endpoint(
                id="demo-swift|acme/new",
                model="acme/new",
                provider="demo-swift",
                provider_name="Demo Swift",
                tag="demo-swift",
                upstream="new",
                price=None,
            ),
        ),
    )
    keeper.take([told])
    assert "acme/new" in keeper.catalog().models
    assert not keeper.is_stale
    assert worker.is_stale
    worker.reload()
    assert not worker.is_stale
    assert worker.catalog().models == keeper.catalog().models
    again = Shelf(Declared(), {}, archive, clock, FoundFile(tmp_path / "found"))
    assert again.found == (told,)
