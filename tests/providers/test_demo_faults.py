"""Who is hit by a fault marker, and what is said about markers that make no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.demo.faults import KINDS, Fault, explanation, wanted, without_markers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", None),
        ("[[fault:hang]]", Fault("hang", 0)),
        ("[[fault: status   429 ]]", Fault("status", 429)),
        ("[[fault:status 503 @demo-swift]]", Fault("status", 503)),
        ("[[fault:cut 10@demo-steady, demo-swift]]", Fault("cut", 10)),
        ("[[fault:cut @demo-steady]]", None),
        ("[[fault:hang @demo-steady]] [[fault:slow 2 @demo-swift]]", Fault("slow", 2)),
        ("[[fault:empty]] [[fault:html]]", Fault("empty", 0)),
        ("[fault:hang]", None),
        ("[[fault:" + "x" * 300 + "]]", None),
    ],
)
def test_the_first_marker_meant_for_a_host_counts(text: str, expected: Fault | None) -> None:
    assert wanted(text, "demo-swift") == expected


@pytest.mark.parametrize(
    "asked",
    ["", "explode", "status x", "status 200", "status 503 1", "slow -1", "slow nan", "html 1",
     "slow inf", "explode @demo-thrifty"],
)  # fmt: skip
def test_a_marker_that_makes_no_sense_is_explained_by_every_host(asked: str) -> None:
    with pytest.raises(ValueError, match="fault:KIND"):
        wanted(f"[[fault:{asked}]]", "demo-swift")


@given(st.text("[]fault:hang 1@x", max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        assert wanted(text, "x") is None or "[[fault:" in text
    except ValueError as error:
        assert explanation() in str(error)  # noqa: PT017


def test_markers_are_no_part_of_the_question() -> None:
    assert without_markers("a [[fault:hang]] b [[fault:x]]") == "a  b"
    assert without_markers(" as it is ") == " as it is "


def test_every_kind_is_explained() -> None:
    assert all(f"`{name}" in explanation() for name in KINDS)
