"""Fragments of tool calls as hosts write them: OpenAI's own client joins them, as its users do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from dragoman.providers.openai.answers import OpenAiDecoder, read_answer
from dragoman.wire.hub import Chunk

Row = dict[str, Any]
PARIS = '{"city":"Paris"}'


def row(index: int | None = None, id_: Any = None, name: Any = None, arguments: Any = None) -> Row:
    """Return a fragment that says what is given."""
    function = {"name": name, "arguments": arguments}
    found: Row = {"function": {key: each for key, each in function.items() if each is not None}}
    if index is not None:
        found["index"] = index
    return found | ({"id": id_, "type": "function"} if id_ is not None else {})


def streamed(*events: list[Row], finish: str = "tool_calls", last: Row | None = None) -> list[Row]:
    """Return the deltas of a stream in which each event holds these fragments."""
    decoder = OpenAiDecoder()
    told: list[tuple[Row, str | None]] = [({"tool_calls": rows}, None) for rows in events]
    told.append((last or {}, finish))
    deltas = []
    for delta, reason in told:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = decoder.feed(json.dumps({"id": "x", "choices": [choice]}).encode())
        assert isinstance(chunk, Chunk)
        (piece,) = chunk.pieces
        deltas.append({name: json.loads(bytes(each)) for name, each in piece.delta.items()})
    return deltas


def joined(deltas: list[Row]) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call, as OpenAI's client joins them."""
    whole: Any = {}
    for delta in deltas:
        if delta:
            so_far: Any = whole
            more: Any = delta
            whole = accumulate_delta(so_far, more) if so_far else more
    calls = whole.get("tool_calls", [])
    assert [call["index"] for call in calls] == list(range(len(calls)))
    return [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls]


BOTH = [("c0", "f", PARIS), ("c1", "g", "{}")]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([[row(0, "c0", "f", PARIS), row(1, "c1", "g", "{}")]], id="at once"),
        pytest.param(
            [[row(0, "c0", "f", "")], [row(1, "c1", "g", "{")], [row(0, None, None, PARIS)],
             [row(1, None, None, "}")]],
            id="interleaved",
        ),
        pytest.param([[row(3, "c0", "f", PARIS)], [row(7, "c1", "g", "{}")]], id="other numbers"),
        pytest.param([[row(0, "c0", "f", PARIS)], [row(0, "c1", "g", "{}")]], id="all number 0"),
        pytest.param(
            [[row(0, "c0", "f", PARIS)], [row(0, "c1", "g", "{")], [row(0, None, None, "}")]],
            id="all number 0, in pieces",
        ),
        pytest.param(
            [[row(None, "c0", "f", PARIS)], [row(None, "c1", "g", "{}")]], id="no numbers"
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS[:5])], [row(0, "c0", "f", PARIS[5:])],
             [row(1, "c1", "g", "{}")]],
            id="id and name again",
        ),
        pytest.param(
            [[row(None, "c0", "f", PARIS[:5])], [row(None, "c0", None, PARIS[5:])],
             [row(None, "c1", "g", "{}")]],
            id="id again, no numbers",
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS[:5])], [row(0, "other", None, PARIS[5:])],
             [row(1, "c1", "g", "{}")]],
            id="an id for every fragment",
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS[:5])],
             [{"index": 0, "id": None, "type": None,
               "function": {"name": None, "arguments": PARIS[5:]}}],
             [row(1, "c1", "g", "{}")]],
            id="nulls",
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS[:5])], [row(0, "", "", PARIS[5:])],
             [row(1, "c1", "g", "{}")]],
            id="nothing where there is nothing new",
        ),
        pytest.param(
            [[row(0, "c0", "f", "")], [row(0, None, None, None)], [row(0, None, None, PARIS)],
             [row(1, "c1", "g", "")]],
            id="no arguments",
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS)], [{"index": 1, "id": "c1", "function": {"name": "g"}}],
             [{"index": 1, "function": {"arguments": None}}]],
            id="null for arguments",
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS)], [row(1, "c1", "g", "null")]], id="null as arguments"
        ),
        pytest.param(
            [[row(0, "c0", "f", PARIS)], [row(1, "c1", "g")], [row(1, None, None, "null")]],
            id="null as arguments, later",
        ),
        pytest.param(
            [[row(0, "c0", "f", json.loads(PARIS))], [row(1, "c1", "g", {})]], id="objects"
        ),
        pytest.param([[row(0, "c0", "f", PARIS)], [{"index": 1, "id": "c1", "type": "function"}],
                      [row(1, None, "g", "{}")]], id="the function later"),
    ],
)  # fmt: skip
def test_two_calls_are_told_as_two(events: list[list[Row]]) -> None:
    found = [(id_, name, json.loads(told)) for id_, name, told in joined(streamed(*events))]
    assert found == [(id_, name, json.loads(told)) for id_, name, told in BOTH]


@pytest.mark.parametrize("together", [False, True])
def test_calls_without_ids_and_numbers_are_told_apart_by_their_names(*, together: bool) -> None:
    rows = [row(None, None, "f", PARIS), row(None, None, "f", PARIS)]
    (one, *first), (two, *second) = joined(
        streamed(rows) if together else streamed(*[[r] for r in rows])
    )
    assert first == second == ["f", PARIS]
    assert one != two


def test_a_name_in_pieces_is_one() -> None:
    events = [row(0, "c0", "get_", ""), row(0, None, "weather"), row(0, None, None, PARIS)]
    assert joined(streamed(*[[each] for each in events])) == [("c0", "get_weather", PARIS)]


def test_an_id_of_another_call_is_none() -> None:
    (one, *_), (two, *_) = joined(streamed([row(0, "c", "f", "{}")], [row(1, "c", "f", "{}")]))
    assert one == "c"
    assert two.startswith("call_")


def test_the_end_of_a_choice_brings_what_is_missing_beside_what_it_brings_itself() -> None:
    last = {"tool_calls": [row(1, "c1", "g", "")]}
    assert joined(streamed([row(0, "c0", "f", "")], last=last)) == [
        ("c0", "f", "{}"), ("c1", "g", "{}"),
    ]  # fmt: skip


def test_what_is_as_it_should_be_is_not_touched() -> None:
    events = [
        [row(0, "c0", "f", "")], [row(0, None, None, "{")], [row(1, "c1", "g", "{}")],
        [{"index": 0, "type": "function", "function": {"arguments": "}"}}], [{"index": 0}],
    ]  # fmt: skip
    assert [delta["tool_calls"] for delta in streamed(*events)[:-1]] == events


@given(st.lists(st.text(), min_size=1, max_size=3), st.data())
def test_however_a_host_cuts_and_mixes_calls_they_are_the_same(texts: list[str], data: Any) -> None:
    whole = [json.dumps({"text": text}) for text in texts]
    events = [[row(n, f"c{n}", "f", "")] for n in range(len(whole))]
    rest = dict(enumerate(whole))
    while rest:
        n = data.draw(st.sampled_from(sorted(rest)))
        cut = data.draw(st.integers(1, len(rest[n])))
        events.append([row(n, None, None, rest[n][:cut])])
        rest[n] = rest[n][cut:]
        if not rest[n]:
            del rest[n]
    deltas = streamed(*events)
    assert [delta["tool_calls"] for delta in deltas[:-1]] == events
    assert [told for *_, told in joined(deltas)] == whole


@pytest.mark.parametrize("told", ["", None, "null", "missing", "{}"])
def test_a_whole_call_without_arguments_has_none(told: str | None) -> None:
    function = {"name": "f"} | ({} if told == "missing" else {"arguments": told})
    calls = [{"id": "c", "function": function}, {"id": "c", "function": function}]
    choice = {"message": {"tool_calls": calls}, "finish_reason": "stop"}
    answer = read_answer(json.dumps({"id": "x", "choices": [choice]}).encode())
    first, second = json.loads(bytes(answer.choices[0].message["tool_calls"]))
    assert first["function"] == second["function"] == {"name": "f", "arguments": "{}"}
    assert (first["id"], second["id"] == "c") == ("c", False)


@pytest.mark.parametrize("nothing", ["[]", "[ ]"])
def test_an_empty_list_of_calls_calls_nothing(nothing: str) -> None:
    message = f'{{"content":"a","tool_calls":{nothing}}}'
    body = f'{{"choices":[{{"message":{message},"finish_reason":"stop"}}]}}'
    assert read_answer(body.encode()).choices[0].finish_reason == "stop"


def test_the_end_brings_nothing_where_nothing_is_missing() -> None:
    assert streamed([row(0, "c0", "f", PARIS)])[-1] == {}


def test_arguments_of_null_are_none() -> None:
    began = {
        "index": 0,
        "id": "c0",
        "type": "function",
        "function": {"name": "f", "arguments": None},
    }
    first, second, last = streamed([began], [row(0, arguments=PARIS)])
    assert first["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert joined([first, second, last]) == [("c0", "f", PARIS)]
    nothing = {"index": 0, "function": {"arguments": None}}
    assert joined(streamed([row(0, "c0", "f", PARIS)], [nothing])) == [("c0", "f", PARIS)]


@pytest.mark.parametrize("name", ["f", ""])
@pytest.mark.parametrize("id_", ["c0", None])
def test_what_every_fragment_repeats_is_told_once(name: str, id_: str | None) -> None:
    first, second, _ = streamed([row(0, "c0", "f", '{"city":')], [row(0, id_, name, '"Paris"}')])
    assert joined([first, second]) == [("c0", "f", PARIS)]
    assert second["tool_calls"] == [{"index": 0, "function": {"arguments": '"Paris"}'}}]


def test_a_name_told_again_before_any_arguments_begins_no_other_call() -> None:
    ((_, name, arguments),) = joined(streamed([row(name="f")], [row(name="f", arguments=PARIS)]))
    assert (name, arguments) == ("f", PARIS)


def test_a_whole_call_that_is_no_functions_is_left_as_it_is_but_for_its_id() -> None:
    custom = {"type": "custom", "custom": {"name": "f", "input": "x"}}

    def calls(answer: str, *rows: Row) -> list[Row]:
        choice = {"message": {"tool_calls": rows}, "finish_reason": "tool_calls"}
        body = json.dumps({"id": answer, "choices": [choice]}).encode()
        found: list[Row] = json.loads(bytes(read_answer(body).choices[0].message["tool_calls"]))
        return found

    assert calls("a", {"id": "c0", **custom}) == [{"id": "c0", **custom}]
    (first, second), (other, _) = calls("a", custom, custom), calls("b", custom, custom)
    assert {name: each for name, each in first.items() if name != "id"} == custom
    assert len({first["id"], second["id"], other["id"]}) == 3
