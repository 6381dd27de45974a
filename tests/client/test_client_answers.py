"""Answers as values: attributes, nothing lost, and a dictionary all the same."""

import copy
import json
import pickle

import pytest

from dragoman.client.answers import Chunk, Completion, Record, data_of, read_object, rows_of


def test_members_are_attributes_however_deep_and_unknown_ones_too() -> None:
    answer = read_object(b'{"choices": [{"message": {"content": "Hi", "of_tomorrow": [1]}}]}')
    assert answer.choices[0].message.content == "Hi"
    assert answer["choices"][0]["message"]["of_tomorrow"] == [1]


def test_what_is_not_there_is_an_attribute_error_that_says_what_is() -> None:
    with pytest.raises(AttributeError, match="no 'b' here, only a"):
        _ = Record(a=1).b
    assert Record(a=1).get("b") is None
    assert not hasattr(Record(), "b")


def test_an_answer_goes_back_to_json_and_can_be_copied() -> None:
    text = '{"a": {"b": [null, 1.5, "…"]}, "items": 2}'
    answer = read_object(text.encode())
    assert json.loads(json.dumps(answer)) == json.loads(text)
    assert copy.deepcopy(answer) == pickle.loads(pickle.dumps(answer)) == answer
    assert answer["items"] == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_object(body)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ([{"message": {"content": "Hi"}}, {"message": {"content": "Ho"}}], "Hi"),
        ([{"message": {"content": None, "tool_calls": []}}], ""),
        ([{}], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_text_is_the_content_of_the_first_choice(choices: object, text: str) -> None:
    assert Completion(choices=choices).text == text


def test_a_chunk_adds_text_or_none() -> None:
    assert Chunk(choices=[{"delta": {"content": "H"}}]).text == "H"
    assert Chunk(usage={}).text == ""


def test_data_is_unwrapped_where_there_is_any() -> None:
    assert data_of(Record(data=Record(a=1))) == {"a": 1}
    assert data_of(Record(a=1)) == {"a": 1}
    assert rows_of(Record(data=[Record(a=1), 7]), Record) == [{"a": 1}]
    assert rows_of(Record(data=None), Record) == []
