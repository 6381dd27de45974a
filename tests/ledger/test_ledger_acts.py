"""The id of a beginning is found without reading it, and of nothing else."""

import msgspec
import pytest

from dragoman.core.money import NanoUsd
from dragoman.ledger import acts
from dragoman.ledger.acts import Final, Progress, Start

RECORD = msgspec.Raw(msgspec.msgpack.encode([]))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 35, 255])
def test_the_id_of_a_beginning_is_found_by_its_place(length: int) -> None:
    start = Start("x" * length, 1.0, "default", "k", "m", streamed=False, user="u")
    assert acts.begun(acts.encode(start)) == b"x" * length


def test_an_id_that_is_longer_is_not_found_but_read() -> None:
    start = Start("x" * 256, 1.0, "default", "k", "m", streamed=False)
    payload = acts.encode(start)
    assert acts.begun(payload) is None
    assert acts.decode(payload) == start


@pytest.mark.parametrize(
    "payload",
    [
        acts.encode(Final("x", "default", NanoUsd(1), NanoUsd(0), (), RECORD)),
        acts.encode(Progress("x", "e", "p", "P", "m", 1, 2, 3)),
        b"",
        b"\x99\xa1s",
    ],
)
def test_nothing_else_begins_anything(payload: bytes) -> None:
    assert acts.begun(payload) is None


def test_a_stream_that_was_cut_off_is_counted_by_each_purse_as_it_counts() -> None:
    start = Start(
        "x", 1.0, "default", "k", "m", streamed=True, hold=10, purses=("a", "b"), inclusive=("b",)
    )
    progress = Progress("x", "e", "p", "P", "m", 1, 2, 12, 10, included=40)
    booked = acts.concluded(start, progress, 7)
    assert (booked.cost, booked.overrun) == (10, 2)
    assert [(draw.purse, draw.amount) for draw in booked.draws] == [("a", 10), ("b", 40)]


def test_what_was_written_before_purses_could_be_inclusive_is_read_as_ever() -> None:
    start = Start("x", 1.0, "default", "k", "m", streamed=True, hold=10, purses=("a",), user="u")
    progress = Progress("x", "e", "p", "P", "m", 1, 2, 12, 10)
    for act in (start, progress):
        values = msgspec.msgpack.decode(acts.encode(act))
        assert acts.decode(msgspec.msgpack.encode(values[:-1])) == act
