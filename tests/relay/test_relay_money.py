"""What is set aside for a request, what more an answer takes, and how it ends without money."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from dragoman.access.types import Caller, Funds, Terms
from dragoman.catalog.types import Price
from dragoman.core.errors import GatewayError, Unavailable
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.core.notes import Change, Note
from dragoman.ledger.acts import Final, Start, decode
from dragoman.relay.books import Charge, Journaled
from dragoman.relay.chat import stream_chat
from dragoman.relay.sizing import size_of
from dragoman.relay.visit import Visit
from dragoman.store.journal.frames import MOST_PAYLOAD_BYTES
from tests.records.samples import PLAIN
from tests.relay.scene import CALLER, Ear, Heard, Scene, endpoint
from tests.upstream.hosts import DONE, ROLE, Act, Rest, Script, counts, ends, plays, says, streamed
from tests.upstream.scenery import chat

PURSE = "key:k|total|0"
TOKEN = 2_000
"""What a token of the answer costs at the hosts of the scene, in nano-USD."""
SLICE = 4096 * TOKEN
HALF = "x" * 6_200
"""Text that uses three quarters of a slice, by the careful estimate."""
RICH = 10**12


def limited(scene: Scene, limit: int, *, stream: bool = True, **body: Any) -> Visit:
    """Return a request of a key that may spend so much."""
    scene.bank.balances.setdefault(PURSE, [limit, 0, 0])
    caller = Caller(key_hash=CALLER.key_hash, terms=Terms(funds=Funds(purses=(PURSE,))))
    return structs.replace(scene.visit(stream=stream, **body), caller=caller)


async def heard(scene: Scene, visit: Visit) -> Heard:
    ear = Ear()
    await stream_chat(scene.desk, visit, ear)
    return Heard(ear.writes)


def long_answer() -> Script:
    acts: list[Act] = [ROLE, says(HALF), says("a"), Rest(), says("b"), ends(), counts(10, 3000)]
    return plays(*acts, DONE)


def held(scene: Scene) -> int:
    """Return what is held now: what is leased and lies idle is given back first."""
    till = scene.desk.cashier._till
    return sum(drawer.held for drawer in till._drawers.values())


async def first_hold(scene: Scene, **body: Any) -> int:
    """Return what is set aside at first."""
    await heard(scene, limited(scene, RICH, **body))
    return scene.bank.taken[0][PURSE]


async def test_a_stream_without_max_tokens_takes_a_further_slice_in_time() -> None:
    scene = Scene(a=long_answer())
    assert (await heard(scene, limited(scene, RICH))).finished
    assert [each[PURSE] for each in scene.bank.taken[1:]] == [SLICE]
    assert held(scene) == 0


@pytest.mark.parametrize(("texts", "further"), [(1, []), (2, [2 * SLICE])])
async def test_alternatives_take_a_further_slice_each_once_they_used_most_of_all_theirs(
    texts: int, further: list[int]
) -> None:
    acts: list[Act] = [ROLE, *[says(HALF)] * texts, says("a"), Rest(), ends(), counts(10, 3000)]
    scene = Scene(a=plays(*acts, DONE))
    await heard(scene, limited(scene, RICH, n=2))
    assert [each[PURSE] for each in scene.bank.taken[1:]] == further


async def test_a_stream_ends_with_one_error_when_no_more_is_left() -> None:
    limit = await first_hold(Scene(a=streamed("x"))) + SLICE - 1
    scene = Scene(a=long_answer())
    told = await heard(scene, limited(scene, limit))
    assert told.last["error"]["code"] == 402
    assert b"".join(told.writes).count(b'"error":') == 1
    assert not told.finished
    (charge,) = scene.books.charges
    assert 0 < charge.cost <= limit
    assert charge.overrun == 0
    assert [draw.amount for draw in charge.draws] == [charge.cost]
    assert held(scene) == 0


async def test_what_max_tokens_bounds_takes_no_further_slice() -> None:
    scene = Scene(a=long_answer())
    limit = await first_hold(Scene(a=streamed("x")), max_tokens=4096)
    assert (await heard(scene, limited(scene, limit, max_tokens=4096))).finished
    assert len(scene.bank.taken) == 1


async def test_endpoints_that_cannot_be_paid_leave_the_plan() -> None:
    dear = Price(prompt=PicoUsd(10**7), completion=PicoUsd(10**8))
    scene = Scene(endpoint("a", price=dear), endpoint("b"), a=streamed("dear"), b=streamed("cheap"))
    visit = limited(scene, 40_000_000, max_tokens=1000)
    assert (await heard(scene, structs.replace(visit, wants_metadata=True))).text() == "cheap"
    assert scene.record.provider == "b"


@pytest.mark.parametrize("first", ["a", "b"])
async def test_the_prompt_that_could_be_paid_is_that_of_the_cheapest(first: str) -> None:
    dear = Price(prompt=PicoUsd(100_000_000), completion=PicoUsd(1))
    scene = Scene(endpoint("a", price=dear), endpoint("b"), a=streamed("x"), b=streamed("x"))
    with pytest.raises(GatewayError, match=r"Prompt tokens limit exceeded: \d+ > 2\."):
        await heard(scene, limited(scene, 2_000, provider={"order": [first]}))


async def test_a_price_that_is_unknown_is_refused_under_a_limit() -> None:
    scene = Scene(endpoint("a", price=None), a=streamed("x"))
    with pytest.raises(GatewayError) as refused:
        await heard(scene, limited(scene, RICH))
    assert "price unknown" in refused.value.message
    assert scene.bank.taken == []


async def test_what_is_free_needs_no_money() -> None:
    nothing = Price(prompt=PicoUsd(0), completion=PicoUsd(0))
    scene = Scene(endpoint("a", price=nothing), a=streamed("x"))
    assert (await heard(scene, limited(scene, 0))).finished
    assert scene.bank.taken == []


@pytest.mark.parametrize("fault", ["silent", "full"])
async def test_what_cannot_be_booked_is_not_sent(fault: str) -> None:
    scene = Scene(a=streamed("x"))
    scene.bank.silent = fault == "silent"
    scene.books.full = fault == "full"
    with pytest.raises(GatewayError) as refused:
        await heard(scene, limited(scene, RICH))
    assert refused.value.status == 503
    assert scene.hosts.calls == []
    assert held(scene) == 0


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13])
async def test_a_client_that_leaves_leaves_nothing_held(steps: int) -> None:
    scene = Scene(a=plays(ROLE, says(HALF), says("a"), "hang"))
    serving = asyncio.create_task(heard(scene, limited(scene, RICH)))
    await asyncio.sleep(0.01 if steps == 13 else 0)
    for _ in range(steps):
        await asyncio.sleep(0)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert held(scene) == 0
    assert len(scene.books.charges) <= 1


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "A" * 4000, "format": "wav"}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x;base64," + "A" * 4000}}
LINK = {"type": "image_url", "image_url": {"url": "https://host.example/" + "a" * 40}}


@pytest.mark.parametrize(
    ("part", "expected"),
    [(IMAGE, (1, 0, 0)), (AUDIO, (0, 3000, 0)), (FILE, (0, 0, 1)), (LINK, (1, 0, 0))],
)
def test_media_count_by_a_table_and_not_by_their_bytes(
    part: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    size = size_of(chat(messages=[{"role": "user", "content": [part]}]))
    assert (size.images, size.audio_bytes, size.unsized) == expected
    assert size.body_bytes < 400


class Pages:
    """A journal in memory, which lets nothing begin once it is `broken`."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.broken = False

    def begin(self, payload: bytes) -> int:
        if self.broken:
            raise Unavailable("broken")
        return self.append(payload)

    def append(self, payload: bytes) -> int:
        assert len(payload) <= MOST_PAYLOAD_BYTES
        self.kept.append(payload)
        return len(self.kept)


def start(id_: str) -> Start:
    return Start(id_, 0.0, "default", "f" * 64, "acme/turbo", streamed=False)


def test_who_was_refused_takes_no_room_from_who_has_to_pay() -> None:
    pages = Pages()
    books = Journaled(pages)
    made = structs.replace(PLAIN, id="gen-paid")
    books.start(start("gen-paid"))
    pages.broken = True
    books.final(structs.replace(made, id="gen-refused"), Charge(account="default"))
    books.final(made, Charge(account="default", cost=NanoUsd(5)))
    acts = [decode(each) for each in pages.kept]
    assert [act.id for act in acts] == ["gen-paid", "gen-paid"]
    assert books.unwritten == 1


def test_a_record_that_is_too_long_is_booked_all_the_same() -> None:
    pages = Pages()
    notes = tuple(Note(Change.DROPPED, "x" * 200_000, "y") for _ in range(10))
    made = structs.replace(PLAIN, notes=notes, upstream_id="u" * 2_000_000)
    Journaled(pages).final(made, Charge(account="default", cost=NanoUsd(5)))
    (final,) = [decode(each) for each in pages.kept]
    assert isinstance(final, Final)
    assert (final.id, final.cost) == (made.id, 5)
