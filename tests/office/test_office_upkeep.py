"""What keeps the catalog of a running node up to date, and that nothing of it disturbs."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.catalog.discover import discovered
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import Declared, ProviderOptions
from dragoman.catalog.types import Catalog, Model, Provider
from dragoman.net.types import NetError
from dragoman.office import upkeep as module
from dragoman.office.archive import ATTEMPT, FOLDER, Archive, Attempt
from dragoman.office.discovery import Discovery
from dragoman.office.options import CatalogOptions
from dragoman.office.refresh import refresh
from dragoman.office.upkeep import RETRY_S, Upkeep
from tests.access.fakes import HandClock
from tests.office.editions import URL, clock_of, price_of, shelf_of, text
from tests.upstream.hosts import HANGS, Hosts, Script, breaks, plays, refuses

OWN = {"acme": ProviderOptions(base_url="http://acme/v1", discover=True)}

OFF = ProviderOptions(discover=False)
OFTEN = CatalogOptions(refresh_url=URL, refresh_hours=1e-6, discover_minutes=1e-4)


def lists(*names: str) -> Script:
    return plays(json.dumps({"data": [{"id": name} for name in names]}).encode())


class House:
    """An upkeep with a host of one's own, the known host Groq, and a place of catalogs."""

    def __init__(self, data: Path, **scripts: Script | list[Script]) -> None:
        self.hand = HandClock()
        self.archive = Archive(data)
        named = {"catalog": "catalog.example", "groq": "api.groq.com", "acme": "acme"}
        self.net = Hosts(self.hand, **{named[host]: each for host, each in scripts.items()})
        self.shelf = shelf_of(self.archive, self.hand, Declared(providers=OWN))
        self.upkeep = self.with_options(CatalogOptions())

    def with_options(self, options: CatalogOptions) -> Upkeep:
        return Upkeep(
            shelf=self.shelf,
            discovery=Discovery(self.shelf.hosts, OWN, self.net),
            archive=self.archive,
            transport=self.net,
            options=options,
            clock=clock_of(self.hand),
        )

    def models(self, author: str = "acme") -> set[str]:
        return {name for name in self.shelf.catalog().models if name.startswith(f"{author}/")}


@asynccontextmanager
async def running(loop: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(loop())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.01)
    monkeypatch.setattr(module, "FIRST_DISCOVERY_S", 0.5)


async def test_an_edition_of_another_process_is_taken_up(tmp_path: Path) -> None:
    house = House(tmp_path, catalog=plays(text()))
    async with running(house.upkeep.watch):
        await refresh(URL, house.archive, house.net, clock_of(house.hand))
        await until(lambda: price_of(house.shelf) == (1000,))


async def test_an_edition_that_cannot_be_used_leaves_the_catalog_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, catalog=[plays(text()), plays(text(name="acme/two"))])
    before = house.shelf.catalog()

    def refused(*_: Any, **__: Any) -> Catalog:
        raise CatalogError("providers.acme", "is at odds with itself")

    with monkeypatch.context() as patched:
        patched.setattr("dragoman.office.shelf.assemble", refused)
        async with running(house.upkeep.watch):
            await refresh(URL, house.archive, house.net, clock_of(house.hand))
            await until(lambda: "at odds with itself" in caplog.text)
    assert house.shelf.catalog() is before
    async with running(house.upkeep.watch):
        await refresh(URL, house.archive, house.net, clock_of(house.hand))
        await until(lambda: house.models() == {"acme/two"})


async def test_models_of_ones_own_host_are_there_when_requests_begin(tmp_path: Path) -> None:
    house = House(tmp_path, acme=lists("one"))
    before = house.shelf.catalog()
    await house.upkeep.begin()
    assert house.models() == {"acme/one"}
    assert house.shelf.catalog() is not before
    assert house.net.called == ["acme"]


async def test_a_catalog_is_replaced_only_when_something_changed(tmp_path: Path) -> None:
    house = House(tmp_path, acme=lists("one"))
    await house.upkeep.begin()
    before = house.shelf.catalog()
    await house.upkeep.begin()
    assert house.shelf.catalog() is before


async def test_a_list_is_read_where_no_stream_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[threading.Thread] = []

    def reading(provider: Provider, options: ProviderOptions, body: bytes) -> tuple[Model, ...]:
        seen.append(threading.current_thread())
        return discovered(provider, options, body)

    monkeypatch.setattr("dragoman.office.discovery.discovered", reading)
    house = House(tmp_path, acme=lists("one"))
    await house.upkeep.begin()
    assert house.models() == {"acme/one"}
    assert len(seen) == 1
    assert threading.current_thread() not in seen


@pytest.mark.parametrize("trouble", [breaks(NetError("refused", "no")), HANGS, refuses(500)])
async def test_a_host_that_does_not_answer_keeps_the_models_it_had(
    trouble: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, acme=[lists("one"), trouble])
    await house.upkeep.begin()
    monkeypatch.setattr(module, "FIRST_DISCOVERY_S", 0.01)
    await house.upkeep.begin()
    assert house.models() == {"acme/one"}


async def test_a_host_in_the_same_trouble_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, acme=[refuses(500), refuses(500), refuses(404), lists("one")])
    for _ in range(4):
        await house.upkeep.begin()
    assert caplog.text.count("discovery.failed") == 2
    assert house.upkeep.discovery.problems == {}


async def test_hosts_are_asked_again_from_time_to_time_known_ones_too(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        acme=[lists("one"), lists("one", "two")],
        groq=[lists("brand-new"), lists("brand-new", "newer", "whisper-9")],
    )
    known = house.models("groq")
    await house.upkeep.begin()
    assert house.models("groq") == known
    async with running(house.with_options(OFTEN).keep_discovering):
        await until(lambda: house.models() == {"acme/one", "acme/two"})
        await until(lambda: house.models("groq") - known == {"groq/brand-new", "groq/newer"})


async def test_where_no_host_is_to_be_asked_nobody_asks(tmp_path: Path) -> None:
    house = House(tmp_path)
    bare = shelf_of(house.archive, house.hand, Declared(providers={"groq": OFF}))
    idle = msgspec.structs.replace(house.upkeep, shelf=bare)
    await idle.begin()
    await idle.keep_discovering()
    assert house.net.calls == []


async def test_without_an_address_nothing_is_fetched(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.upkeep.keep_refreshing()
    assert house.net.calls == []


async def test_the_address_is_fetched_now_and_again(tmp_path: Path) -> None:
    house = House(tmp_path, catalog=[plays(text()), plays(text(name="acme/two"))])
    async with running(house.with_options(OFTEN).keep_refreshing):
        await until(lambda: len(house.net.calls) > 2)
    house.shelf.reload()
    assert house.models() == {"acme/two"}


async def test_a_fetch_that_fails_is_logged_and_tried_again_sooner(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, catalog=[refuses(500), plays(text())])
    daily = house.with_options(CatalogOptions(refresh_url=URL))
    assert await daily._refreshed(URL) == RETRY_S
    assert "answered 500" in caplog.text
    assert await daily._refreshed(URL) == 24 * 3600


async def test_a_full_disk_does_not_end_the_upkeep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, catalog=plays(text()))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dragoman.office.archive.os.fsync", full)
    assert await house.upkeep._refreshed(URL) == RETRY_S
    assert "No space left" in caplog.text


@pytest.mark.parametrize(
    ("attempt", "passed_s", "due_in_s"),
    [
        (None, 0, 0),
        (Attempt(at=1000, source=URL), 600, 23.0 * 3600 + 3000),
        (Attempt(at=1000, source=URL), 90_000, 0),
        (Attempt(at=1000, source=URL, problems=("no",)), 600, RETRY_S - 600),
        (Attempt(at=9000, source=URL), 0, 24.0 * 3600),
    ],
)
async def test_a_restart_waits_for_what_is_left_of_the_day(
    attempt: Attempt | None, passed_s: float, due_in_s: float, tmp_path: Path
) -> None:
    house = House(tmp_path, catalog=plays(text()))
    assert house.upkeep._first_due_in_s() == 0
    await refresh(URL, house.archive, house.net, clock_of(house.hand))
    house.shelf.reload()
    if attempt is None:
        (tmp_path / FOLDER / ATTEMPT).unlink()
    else:
        house.archive.note(attempt)
    house.hand.now += passed_s
    assert house.upkeep._first_due_in_s() == due_in_s
