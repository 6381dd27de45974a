"""A secret is printed by nobody."""

import copy
import pickle

import pytest

from dragoman.core.secret import Secret

TEXT = "sk-proj-abcdefghijklmnop"


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, lambda s: f"{s!r} {s}", lambda s: [s].__repr__()]
)
def test_printing_does_not_reveal_it(show: object) -> None:
    assert callable(show)
    assert TEXT not in show(Secret(TEXT))


@pytest.mark.parametrize("send", [pickle.dumps, copy.copy])
def test_it_does_not_leave_the_process(send: object) -> None:
    assert callable(send)
    with pytest.raises(TypeError, match="not serialised"):
        send(Secret(TEXT))


def test_its_owner_recognises_it_by_the_end() -> None:
    assert Secret(TEXT).hint() == "…mnop"
    assert Secret("short").hint() == "…"


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret(TEXT).reveal() == TEXT
