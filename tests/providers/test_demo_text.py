"""What the demo models gather from a question, and how text becomes tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.demo.text import Words, count_tokens, tokens


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Why is the sky blue?", "sky blue"),
        ("Tell me about the history of Venice, please.", "history of Venice"),
        ("What will the weather be in Lisbon for days?", "weather in Lisbon for days"),
        ("What's up?", "this"),
        ("", "this"),
        ("42", "this"),
        ("pourquoi le ciel est-il bleu", "pourquoi le ciel est-il bleu"),
        ("red owl fox hen cat dog emu yak bee ant", "red owl fox hen cat dog emu yak"),
    ],
)  # fmt: skip
def test_the_topic_is_what_is_left_without_small_words(question: str, topic: str) -> None:
    assert Words(question).topic == topic


def test_names_come_first_and_once() -> None:
    assert Words("Fly from Rome to Oslo, then to Rome: cheap!").names == (
        "Rome", "Oslo", "cheap", "Fly",
    )  # fmt: skip
    assert Words("?").names == ("demo",)


def test_numbers_are_found() -> None:
    assert Words("-2 degrees, 3.5 m, v1.2, 10th, 7").numbers == (-2.0, 3.5, 7.0)


def test_what_a_question_mentions() -> None:
    words = Words("In CELSIUS please")
    assert words.mentions("celsius")
    assert not words.mentions("")
    assert not words.mentions("kelvin")


@given(st.text())
def test_tokens_add_up_to_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
    assert len(tokens(text, 2)) <= 2


@given(st.text())
def test_a_token_is_read_for_every_four_bytes(text: str) -> None:
    assert count_tokens(text) == count_tokens(text.encode()) == -(-len(text.encode()) // 4)
