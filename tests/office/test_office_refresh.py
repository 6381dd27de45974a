"""A newer catalog comes into force, or the one there is stays."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from dragoman.catalog.check import MOST_BYTES
from dragoman.net.types import Limits, NetError, Request, Response
from dragoman.office.archive import ATTEMPT, CURRENT, FOLDER, PREVIOUS, Archive, Attempt
from dragoman.office.refresh import LIMITS, Outcome, Refused, Unknown, approve, refresh
from dragoman.office.shelf import Shelf
from tests.access.fakes import HandClock
from tests.office.editions import CHEAP, DEAR, URL, clock_of, price_of, shelf_of, text, write
from tests.upstream.hosts import Hosts, Script, breaks, plays, refuses


class Place:
    """A data directory, a clock, and the host at `URL`."""

    def __init__(self, data: Path, *scripts: Script) -> None:
        self.data = data
        self.hand = HandClock()
        self.archive = Archive(data)
        self.host = Hosts(self.hand, **{"catalog.example": scripts})

    async def refresh(self, source: str = URL) -> Outcome:
        return await refresh(source, self.archive, self.host, clock_of(self.hand))

    async def refused(self, source: str = URL) -> str:
        with pytest.raises(Refused) as refused:
            await self.refresh(source)
        assert self.archive.attempt() == Attempt(
            at=int(self.hand.now), source=source, problems=refused.value.problems
        )
        return refused.value.problems[0]

    def shelf(self) -> Shelf:
        return shelf_of(self.archive, self.hand)


async def test_a_file_comes_into_force(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    source = write(tmp_path / "new.json", text())
    assert await place.refresh(source) == Outcome(source=source, models=1, endpoints=1, added=1)
    assert price_of(place.shelf()) == (1000,)
    assert place.archive.attempt() == Attempt(at=1000, source=source)


async def test_an_address_comes_into_force_and_is_asked_for_within_bounds(tmp_path: Path) -> None:
    place = Place(tmp_path, plays(text()))
    assert (await place.refresh()).added == 1
    assert price_of(place.shelf()) == (1000,)
    assert place.host.limits == [LIMITS]
    assert LIMITS.body_bytes == MOST_BYTES
    assert all(response.closed == 1 for response in place.host.responses)


async def test_a_price_within_bounds_is_taken_and_told(tmp_path: Path) -> None:
    fair = {**CHEAP, "prompt": "0.000004"}
    place = Place(tmp_path, plays(text()), plays(text(fair)))
    await place.refresh()
    assert (await place.refresh()).repriced == 1
    assert price_of(place.shelf()) == (4000,)


async def test_a_price_that_moved_too_far_waits_for_approval(tmp_path: Path) -> None:
    place = Place(tmp_path, plays(text()), plays(text(DEAR)))
    await place.refresh()
    for _ in range(2):
        outcome = await place.refresh()
        assert (outcome.repriced, [hold.endpoint for hold in outcome.waiting]) == (
            0,
            ["groq|acme/one"],
        )
        assert price_of(place.shelf()) == (1000,)
    assert [hold.endpoint for hold in approve(place.archive, ["acme/one"])] == ["groq|acme/one"]
    assert price_of(place.shelf()) == (10_000,)
    assert (await place.refresh()).waiting == ()
    assert price_of(place.shelf()) == (10_000,)


async def test_a_price_that_comes_back_no_longer_waits(tmp_path: Path) -> None:
    place = Place(tmp_path, plays(text()), plays(text(DEAR)), plays(text()))
    for _ in range(3):
        outcome = await place.refresh()
    assert outcome.waiting == ()
    assert approve(place.archive, None) == ()


async def test_what_was_approved_is_only_what_was_named(tmp_path: Path) -> None:
    def both(price: object) -> bytes:
        rows = [*msgspec.json.decode(text(price)), *msgspec.json.decode(text(price, "acme/two"))]
        return msgspec.json.encode(rows)

    place = Place(tmp_path, plays(both(CHEAP)), plays(both(DEAR)))
    await place.refresh()
    assert len((await place.refresh()).waiting) == 2
    with pytest.raises(Unknown, match="No price of acme/nine waits"):
        approve(place.archive, ["acme/two", "acme/nine"])
    assert len(approve(place.archive, {"groq|acme/two"})) == 1
    assert (price_of(place.shelf()), price_of(place.shelf(), "acme/two")) == ((1000,), (10_000,))
    assert len(approve(place.archive, None)) == 1


def test_nothing_waits_where_nothing_was_refreshed(tmp_path: Path) -> None:
    assert approve(Archive(tmp_path), None) == ()
    with pytest.raises(Unknown):
        approve(Archive(tmp_path), ["acme/one"])


async def test_a_server_is_asked_only_for_what_is_new(tmp_path: Path) -> None:
    tagged = Script(acts=(text(),), headers={"etag": '"v1"'})
    place = Place(tmp_path, tagged, Script(status=304))
    await place.refresh()
    assert await place.refresh() == Outcome(source=URL, changed=False)
    headers = [dict(request.headers).get("If-None-Match") for _, request in place.host.calls]
    assert headers == [None, '"v1"']


async def test_another_address_is_asked_for_all_of_it(tmp_path: Path) -> None:
    place = Place(tmp_path, Script(acts=(text(),), headers={"etag": '"v1"'}))
    await place.refresh()
    await place.refresh(f"{URL}?other")
    assert "If-None-Match" not in dict(place.host.calls[1][1].headers)


async def test_a_server_that_says_unchanged_unasked_is_refused(tmp_path: Path) -> None:
    assert await Place(tmp_path, Script(status=304)).refused() == "answered 304"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (refuses(404), "answered 404"),
        (refuses(500), "answered 500"),
        (Script(status=302, headers={"location": URL}), "answered 302"),
        (breaks(NetError("dns", "no such name")), "dns: no such name"),
        (Script(acts=(text()[:40], NetError("eof", "cut"))), "eof: cut"),
        (Script(acts=(NetError("too_large", "more than that"),)), "too_large"),
        (plays(b"<html>"), "line 1: JSON is malformed"),
        (plays(text({"prompt": "NaN", "completion": 1})), "line 1: acme/one at groq: price.prompt"),
    ],
)
async def test_whatever_goes_wrong_leaves_the_catalog_there_is(
    script: Script, reason: str, tmp_path: Path
) -> None:
    place = Place(tmp_path, plays(text()), script)
    await place.refresh()
    mark = place.archive.mark()
    place.hand.now += 10
    assert reason in await place.refused()
    assert place.archive.mark() == mark
    assert price_of(place.shelf()) == (1000,)


@pytest.mark.parametrize(
    "source",
    [
        "http://catalog.example/x",
        "http://localhost/x",
        "http://10.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://[::1/x",
    ],
)
async def test_an_address_that_anybody_can_answer_for_is_refused(
    source: str, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    assert "only https" in await place.refused(source)
    assert place.host.calls == []


async def test_this_machine_may_answer_without_tls(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.host = Hosts(place.hand, **{"127.0.0.1": plays(text())})
    assert (await place.refresh("http://127.0.0.1:8080/x")).models == 1


class Strict:
    """A transport to which no address is good enough."""

    async def send(self, request: Request, limits: Limits) -> Response:
        raise ValueError(f"{request.url}: not of plain ASCII", limits)


async def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="plain ASCII"):
        await refresh("https://ä.example", Archive(tmp_path), Strict(), clock_of(HandClock()))


async def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    assert await place.refused(str(tmp_path / "nowhere.json")) == "is no file"
    assert await place.refused(str(tmp_path)) == "is no file"
    assert "too long" in await place.refused("x" * 5000)


async def test_the_edition_before_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path, plays(text()), plays(text(name="acme/two")))
    await place.refresh()
    first = (tmp_path / FOLDER / CURRENT).read_bytes()
    await place.refresh()
    assert (tmp_path / FOLDER / PREVIOUS).read_bytes() == first
    files = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert files == {CURRENT, PREVIOUS, ATTEMPT, "lock"}


async def test_the_same_file_again_does_not_push_out_the_edition_before(tmp_path: Path) -> None:
    first, second = plays(text()), plays(text(name="acme/two"))
    place = Place(tmp_path, first, second, second)
    for _ in range(3):
        await place.refresh()
    assert b"acme/one" in (tmp_path / FOLDER / PREVIOUS).read_bytes()


async def test_refreshes_at_the_same_time_leave_a_whole_edition(tmp_path: Path) -> None:
    place = Place(tmp_path, *(plays(text(name=f"acme/m{n}")) for n in range(6)))
    await asyncio.gather(*(place.refresh() for _ in range(6)))
    assert sum(bool(price_of(place.shelf(), f"acme/m{n}")) for n in range(6)) == 1
