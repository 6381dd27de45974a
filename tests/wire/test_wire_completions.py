"""Legacy completions: a prompt becomes a chat, and what the hub says becomes text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types import Completion

from dragoman.core.errors import GatewayError, InvalidPrompt, InvalidRequest, Unavailable
from dragoman.wire import completions
from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.chat import ChatCall
from dragoman.wire.completions import COMPLETIONS
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Answer, Choice, Chunk, Piece, Text
from dragoman.wire.usage import Usage

STAMP = Stamp(id="gen-1", created=7, model="a/b", provider="A")
SPENT = Spent(
    Usage(prompt=3, completion=2), Billing(cost=0.5, upstream=0.5, prompt=0.25, completion=0.25)
)
TOKENS = [
    {"token": "He", "logprob": -0.5, "bytes": [72],
     "top_logprobs": [{"token": "He", "logprob": -0.5}, {"token": "A", "logprob": -2.0}]},
    {"token": "y", "logprob": -1.0, "bytes": [121], "top_logprobs": []},
]  # fmt: skip
STREAMED = [TOKENS[:1], TOKENS[1:]]


def parse(**body: Any) -> ChatCall:
    return COMPLETIONS.parse(json.dumps({"model": "a/b", "prompt": "hi"} | body).encode(), {})


def told(**body: Any) -> Told:
    return Told(stamp=STAMP, call=parse(**body), native=False)


def events(source: bytes) -> list[Any]:
    return [json.loads(each[6:]) for each in source.split(b"\n\n") if each.startswith(b"data: {")]


def answer(*, text: str = "Hey", logprobs: Any = None, **body: Any) -> Any:
    choice = Choice(
        index=0,
        message={"content": Raw(json.dumps(text).encode())},
        finish_reason="stop",
        native_finish_reason="end",
        logprobs=None if logprobs is None else Raw(json.dumps(logprobs).encode()),
    )
    return json.loads(COMPLETIONS.answer(told(**body), Answer(choices=(choice,)), SPENT, b""))


def test_a_prompt_is_a_message_of_the_user() -> None:
    call = parse(prompt="Once", max_tokens=5, temperature=0.5, seed=3, top_k=None)
    members = {name: json.loads(bytes(value)) for name, value in call.members.items()}
    assert members == {
        "model": "a/b", "max_tokens": 5, "temperature": 0.5, "seed": 3, "top_k": None,
        "messages": [{"role": "user", "content": "Once"}],
    }  # fmt: skip
    assert call.max_tokens == 5
    assert call.text_bytes == 4


def test_a_list_of_one_prompt_is_that_prompt() -> None:
    assert b'"Once"' in bytes(parse(prompt=["Once"]).members["messages"])


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        ({"prompt": None}, "prompt: is required"),
        ({"prompt": []}, "prompt: must be one prompt"),
        ({"prompt": ["a", "b"]}, "prompt: must be one prompt"),
        ({"prompt": [1, 2]}, "prompt: tokens are not accepted"),
        ({"prompt": [[1], [2]]}, "prompt: tokens are not accepted"),
        ({"prompt": {"a": 1}}, "prompt: must be"),
        ({"prompt": 5}, "prompt: must be"),
        ({"suffix": "end"}, "suffix: is not supported"),
        ({"messages": []}, "messages: is not accepted here"),
        ({"tools": []}, "tools: is not accepted here"),
        ({"best_of": 0}, "best_of: must be"),
        ({"logprobs": 21}, "logprobs: must be"),
        ({"temperature": 9}, "temperature: must be"),
        ({"n": 0}, "n: must be"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(body: dict[str, Any], begins: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(**body)
    assert refused.value.message.startswith(begins)
    assert isinstance(refused.value, InvalidPrompt) == begins.startswith("prompt")


def test_null_members_and_an_empty_suffix_ask_for_nothing() -> None:
    call = parse(suffix="", messages=None, tools=None, echo=None, logprobs=None, best_of=None)
    assert call.members.keys() == {"model", "messages"}


def test_more_candidates_than_answers_have_no_effect_and_that_is_said() -> None:
    assert parse(best_of=3).not_applied == ("best_of",)
    assert parse(best_of=2, n=2).not_applied == ()


@pytest.mark.parametrize(("wish", "top"), [(True, None), (0, None), (2, b"2")])
def test_log_probabilities_are_asked_in_chats_way(wish: Any, top: bytes | None) -> None:
    members = parse(logprobs=wish).members
    assert bytes(members["logprobs"]) == b"true"
    assert (bytes(members["top_logprobs"]) if "top_logprobs" in members else None) == top
    assert "logprobs" not in parse(logprobs=False).members


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    assert status_of(body) in {200, 400}


def status_of(source: bytes) -> int:
    try:
        COMPLETIONS.parse(source, {})
    except GatewayError as error:
        return error.code
    return 200


def test_what_nests_too_deep_for_its_types_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(_: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr(completions, "_decode", too_deep)
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        parse()


def test_deep_nesting_is_refused() -> None:
    body = b'{"model":"a/b","prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InvalidRequest):
        COMPLETIONS.parse(body, {})


def test_a_whole_answer_is_openais_completion() -> None:
    body = answer(logprobs={"content": TOKENS})
    parsed = Completion.model_validate(body, strict=True)
    assert parsed.choices[0].text == "Hey"
    assert parsed.choices[0].finish_reason == "stop"
    lists = parsed.choices[0].logprobs
    assert lists is not None
    assert lists.tokens == ["He", "y"]
    assert lists.token_logprobs == [-0.5, -1.0]
    assert lists.text_offset == [0, 2]
    assert lists.top_logprobs == [{"He": -0.5, "A": -2.0}, {}]
    assert body["usage"]["cost"] == 0.5
    assert (body["id"], body["model"], body["provider"]) == ("gen-1", "a/b", "A")


def test_an_echo_stands_before_the_text() -> None:
    body = answer(prompt="Say é: ", echo=True, logprobs={"content": TOKENS})
    assert body["choices"][0]["text"] == "Say é: Hey"
    assert body["choices"][0]["logprobs"]["text_offset"] == [7, 9]


@pytest.mark.parametrize("source", [5, {"content": 7}, {"content": None}, [1]])
def test_log_probabilities_that_are_none_are_null(source: Any) -> None:
    assert answer(logprobs=source)["choices"][0]["logprobs"] is None


def test_content_that_is_no_text_is_no_text_and_thoughts_are_not_lost() -> None:
    choice = Choice(
        index=0,
        message={"content": Raw(b"null"), "reasoning": Raw(b'"hm"')},
        finish_reason=None,
        native_finish_reason=None,
    )
    body = json.loads(COMPLETIONS.answer(told(), Answer(choices=(choice,)), SPENT, b',"x":1'))
    assert body["choices"][0]["text"] == ""
    assert body["choices"][0]["reasoning"] == "hm"
    assert body["x"] == 1


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_says_what_a_whole_answer_says(*, echo: bool) -> None:
    writer = COMPLETIONS.writer(told(prompt=["P "], echo=echo, logprobs=1))
    source = b""
    for text, tokens in zip(("He", "y"), STREAMED, strict=True):
        piece = Piece(
            index=0,
            delta={"content": Raw(json.dumps(text).encode())},
            logprobs=Raw(json.dumps({"content": tokens}).encode()),
        )
        source += writer.chunk(Chunk(pieces=(piece,)), (piece,))
    end = Piece(index=0, delta={}, finish_reason="stop", native_finish_reason="end")
    source += writer.chunk(Chunk(pieces=(end,)), (end,))
    source += writer.end({0: end}, SPENT, b"")
    assert source.endswith(b"data: [DONE]\n\n")
    found = events(source)
    for event in found:
        if event["choices"][0]["finish_reason"]:  # null before, whatever the type says
            Completion.model_validate(event, strict=True)
    whole = answer(prompt=["P "], echo=echo, logprobs={"content": TOKENS})["choices"][0]
    assert "".join(each["choices"][0]["text"] for each in found) == whole["text"]
    said = [lists for each in found if (lists := each["choices"][0]["logprobs"])]
    assert [n for lists in said for n in lists["text_offset"]] == whole["logprobs"]["text_offset"]
    assert found[-1]["usage"]["cost"] == 0.5
    assert found[-1]["choices"][0]["finish_reason"] == "stop"


@given(
    pieces=st.lists(st.tuples(st.integers(0, 2), st.text(min_size=1)), min_size=1),
    echo=st.booleans(),
)
def test_pieces_of_text_come_in_their_choices(pieces: list[tuple[int, str]], *, echo: bool) -> None:
    writer = COMPLETIONS.writer(told(prompt="P", echo=echo))
    source = b"".join(writer.text(Text(i, json.dumps(text).encode())) for i, text in pieces)
    heard: dict[int, str] = {}
    for event in events(source):
        (choice,) = event["choices"]
        heard[choice["index"]] = heard.get(choice["index"], "") + choice["text"]
    wanted: dict[int, str] = {}
    for index, text in pieces:
        wanted[index] = wanted.get(index, "P" if echo else "") + text
    assert heard == wanted


def test_a_chunk_without_pieces_is_no_event() -> None:
    assert COMPLETIONS.writer(told()).chunk(Chunk(), ()) == b""


def test_an_error_ends_a_stream_with_one_event() -> None:
    for spent in (None, SPENT):
        (event,) = events(COMPLETIONS.writer(told()).error(Unavailable("gone"), spent, b""))
        assert event["choices"][0]["finish_reason"] == "error"
        assert event["error"]["code"] == 503
        assert ("usage" in event) == (spent is not None)


def test_what_went_upstream_is_echoed_on_one_line() -> None:
    other = Stamp(id="gen-1", created=7, model="a/b", provider="B")
    (event,) = events(COMPLETIONS.writer(told()).debug(b'{\n"a": 1}', other))
    assert event["debug"]["echo_upstream_body"] == {"a": 1}
    assert (event["choices"], event["provider"]) == ([], "B")


def test_a_refusal_is_the_common_one() -> None:
    status, body = COMPLETIONS.refusal(InvalidRequest("x: y"), None)
    assert status == 400
    assert json.loads(body)["error"]["message"] == "x: y"
