"""Whose faults make an outage, and for whom."""

import pytest

from dragoman.upstream.health import HealthBoard
from dragoman.upstream.outcomes import Outcomes

E = "acme|acme/turbo"
ANN, BOB = "a" * 64, "b" * 64


def trouble(board: HealthBoard, who: str, now: float = 0.0) -> tuple[bool, bool]:
    """Return what a key's plans see of the endpoint: outage, cooling."""
    board.refresh(now)
    seen = board.seen_by(who)[E]
    return seen.outage, seen.cooling


@pytest.mark.parametrize(
    ("ann", "bob", "for_all"),
    [
        ((9, 0), (0, 0), False),
        ((9, 0), (1, 0), True),
        ((9, 0), (1, 1), True),
        ((9, 0), (1, 2), False),
        ((2, 0), (1, 0), True),
        ((1, 0), (1, 0), False),
        ((3, 9), (3, 9), False),
        ((0, 9), (9, 0), False),
    ],
)
def test_half_must_fail_without_the_key_that_met_most(
    ann: tuple[int, int], bob: tuple[int, int], *, for_all: bool
) -> None:
    outcomes = Outcomes()
    for who, (faults, answers) in ((ANN, ann), (BOB, bob)):
        outcomes.add(0, who, ok=False, times=faults)
        outcomes.add(0, who, ok=True, times=answers)
    assert outcomes.are_outage_for_all(1) is for_all


@pytest.mark.parametrize(
    ("ann", "bob", "for_ann"),
    [
        ((3, 3), (0, 9), True),
        ((3, 4), (9, 0), False),
        ((2, 0), (9, 0), False),
    ],
)
def test_an_outage_of_a_key_is_what_it_met_itself_within_half_a_minute(
    ann: tuple[int, int], bob: tuple[int, int], *, for_ann: bool
) -> None:
    outcomes = Outcomes()
    for who, (faults, answers) in ((ANN, ann), (BOB, bob)):
        outcomes.add(0, who, ok=False, times=faults)
        outcomes.add(0, who, ok=True, times=answers)
    assert outcomes.are_outage_for(ANN, 30) is for_ann
    assert not outcomes.are_outage_for(ANN, 31)


def test_faults_of_which_nobody_knows_whose_they_are_count_for_all() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0)
    assert trouble(board, ANN) == (True, False)


def test_what_one_key_meets_alone_is_an_outage_for_its_own_requests() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0, ANN)
    assert board.seen_by(ANN)[E].outage, "at once"
    assert trouble(board, ANN) == (True, False)
    assert trouble(board, BOB) == (False, False)
    assert board.measured(E, 0).in_outage
    board.failed(E, 1, BOB)
    assert trouble(board, BOB, 1) == trouble(board, "c", 1) == (True, False)


def test_an_outage_of_one_key_ends_by_itself_and_its_answers_outweigh_it() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0, ANN)
    assert trouble(board, ANN, 29) == (True, False)
    board.refresh(31)
    assert board.seen_by(ANN) is board.seen
    for number in range(8):
        board.succeeded(E, 40, 0.1, None, ANN)
        if number % 2:
            board.failed(E, 40, ANN)
    assert trouble(board, ANN, 40) == (False, False)


def test_what_is_forbidden_to_one_key_cools_for_it_alone_and_to_two_for_all() -> None:
    board = HealthBoard()
    board.forbade(E, 0, 4, ANN)
    assert trouble(board, ANN) == (False, True)
    assert trouble(board, BOB) == (False, False)
    board.forbade(E, 1, 8, BOB)
    assert trouble(board, "c", 1) == (False, True)
    assert trouble(board, "c", 8.9) == (False, True)
    assert trouble(board, ANN, 9.1) == (False, False)


def test_what_all_see_is_seen_by_a_key_that_sees_more() -> None:
    board = HealthBoard()
    other = "acme|acme/other"
    board.cool(other, 0, 5)
    for _ in range(3):
        board.failed(E, 0, ANN)
    assert board.seen_by(ANN)[other].cooling
    board.cool(E, 0, 5)
    assert trouble(board, ANN) == (True, True)


def test_what_all_see_is_seen_at_once_by_a_key_that_sees_more() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0, ANN)
    board.shut(E, 0, 300, "acme")
    board.failed(E, 0, ANN)
    assert board.seen_by(ANN)[E].cooling
    board.opened("acme", 0)
    assert (board.seen_by(ANN)[E].outage, board.seen_by(ANN)[E].cooling) == (True, False)
    board.cool(E, 0, 5)
    assert (board.seen_by(ANN)[E].outage, board.seen_by(ANN)[E].cooling) == (True, True)
    assert board.seen_by(ANN).get("acme|acme/none") is None


def test_a_credential_that_proves_good_opens_what_was_shut_for_it() -> None:
    board = HealthBoard()
    other = "acme|acme/other"
    board.shut(E, 0, 300, "acme")
    board.shut(other, 0, 300, "acme")
    board.cool(other, 0, 5)
    assert trouble(board, ANN, 299) == (False, True)
    board.cool(other, 300, 5)
    board.shut(E, 300, 600, "acme")
    board.opened("another", 301)
    assert trouble(board, ANN, 301) == (False, True)
    board.opened("acme", 302)
    assert trouble(board, ANN, 302) == (False, False)
    assert board.seen[other].cooling


def test_an_endpoint_in_an_outage_for_all_is_so_for_a_key_that_it_forbids_something() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0)
    board.forbade(E, 0, 20.0, ANN)
    assert trouble(board, ANN) == (True, True)
    assert trouble(board, BOB) == (True, False)


def test_a_key_in_trouble_at_two_endpoints_stays_so_at_the_one_where_it_lasts() -> None:
    board = HealthBoard()
    board.forbade(E, 0, 60.0, ANN)
    board.forbade("other", 0, 5.0, ANN)
    assert trouble(board, ANN, 6.0) == (False, True)
    assert not board.seen_by(ANN)["other"].cooling
