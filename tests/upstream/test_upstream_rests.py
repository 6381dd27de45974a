"""Own credentials at rest: apart from what others see, for a while, and not without bound."""

import pytest

from dragoman.catalog.byok import Byok
from dragoman.providers.dialect import Kind
from dragoman.upstream import rests as module
from dragoman.upstream.health import HealthBoard
from tests.upstream.scenery import credential, fault

HERE, THERE = "acme|acme/turbo", "acme|acme/mini"


def byok(number: int = 1) -> Byok:
    return Byok(credential=credential("acme", number), origin="http://acme")


ONE = byok()


def rests(board: HealthBoard, endpoint: str = HERE) -> bool:
    return ONE.rest_id("") in board.seen or ONE.rest_id(endpoint) in board.seen


def test_a_refused_credential_rests_everywhere_for_five_minutes() -> None:
    board = HealthBoard()
    board.rests.failed(ONE, HERE, fault(Kind.CREDENTIAL, 401), 100.0)
    assert rests(board, HERE)
    assert rests(board, THERE)
    assert HERE not in board.seen
    board.refresh(399.0)
    assert rests(board)
    board.refresh(400.0)
    assert board.seen == {}


def test_one_that_may_not_do_what_was_asked_rests_there_for_a_minute() -> None:
    board = HealthBoard()
    board.rests.failed(ONE, HERE, fault(Kind.FORBIDDEN, 403), 100.0)
    assert rests(board, HERE)
    assert not rests(board, THERE)
    board.refresh(159.0)
    assert rests(board)
    board.refresh(160.0)
    assert board.seen == {}


@pytest.mark.parametrize(("asked_s", "rests_s"), [(None, 5.0), (20.0, 20.0), (0.1, 1.0), (900, 60)])
def test_a_rate_limited_one_rests_at_the_endpoint(asked_s: float | None, rests_s: float) -> None:
    board = HealthBoard()
    board.rests.failed(ONE, HERE, fault(Kind.RATE, 429, retry_after_s=asked_s), 100.0)
    assert rests(board, HERE)
    assert not rests(board, THERE)
    board.refresh(100.0 + rests_s - 0.01)
    assert rests(board)
    board.refresh(100.0 + rests_s)
    assert not rests(board)


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.TIMEOUT])
def test_three_faults_in_a_row_are_enough_for_ten_seconds(kind: Kind) -> None:
    board = HealthBoard()
    for _ in range(2):
        board.rests.failed(ONE, HERE, fault(kind), 100.0)
    board.rests.worked(ONE, HERE)
    for _ in range(2):
        board.rests.failed(ONE, HERE, fault(kind), 100.0)
    assert not rests(board)
    board.rests.failed(ONE, HERE, fault(kind), 100.0)
    assert rests(board, HERE)
    assert not rests(board, THERE)
    board.refresh(109.0)
    assert rests(board)
    board.refresh(110.0)
    assert not rests(board)


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.LOCAL])
def test_what_is_nobodys_fault_is_not_remembered(kind: Kind) -> None:
    board = HealthBoard()
    for _ in range(5):
        board.rests.failed(ONE, HERE, fault(kind), 100.0)
    assert board.seen == {}


def test_one_that_works_again_is_awake() -> None:
    board = HealthBoard()
    board.rests.failed(ONE, HERE, fault(Kind.CREDENTIAL, 401), 100.0)
    board.rests.failed(ONE, HERE, fault(Kind.RATE, 429), 100.0)
    board.rests.worked(ONE, HERE)
    assert board.seen == {}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    board = HealthBoard()
    for number in range(10):
        board.rests.failed(byok(number), HERE, fault(Kind.CREDENTIAL, 401), 100.0)
        board.rests.failed(byok(number), HERE, fault(Kind.TRANSIENT), 100.0)
    assert len(board.seen) == len(board.rests._until) == len(board.rests._faults) == 3
    assert byok(9).rest_id("") in board.seen
