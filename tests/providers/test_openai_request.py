"""What leaves for a provider, and what is said about what does not."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter

from dragoman.core.notes import Change, Note
from dragoman.providers.dialect import Dialect, Kind
from dragoman.providers.openai.request import opaque
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members
from tests.providers.openai_calls import HELLO, call, endpoint, provider, said, sent, write


def test_the_registry_fulfils_the_contract() -> None:
    dialect: Dialect = DIALECTS["demo"]
    assert dialect is DIALECTS["openai"]
    assert dialect.request(call(""), endpoint(), provider()).path == "/chat/completions"
    assert dialect.answer(b'{"choices":[{"message":{"content":"a"}}]}').choices
    assert dialect.decoder().feed(b'{"choices":[{"delta":{"content":"a"}}]}')
    assert dialect.fault(429, {}, b"").kind is Kind.RATE


def test_a_plain_call_goes_out_as_it_came_in() -> None:
    outgoing = write(call('"temperature":0.70,"x-raw" : {"a":1e400}'))
    assert outgoing.path == "/chat/completions"
    assert outgoing.body == (
        b'{"model":"turbo-1",%b,"temperature":0.70,"x-raw":{"a":1e400}}' % HELLO.encode()
    )
    assert outgoing.notes == ()
    assert outgoing.headers == (
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    )


def test_what_is_the_gateways_stays_here_without_a_word() -> None:
    outgoing = write(
        call(
            '"models":["a/b"],"fallback_models":[],"route":"fallback","provider":{"zdr":true},'
            '"plugins":[],"transforms":[],"preset":"p","usage":{"include":true},"session_id":"s",'
            '"trace":{},"metadata":{"team":"a"},"debug":{},"structured_outputs":true,'
            '"max_tool_calls":3,"stop_server_tools_when":[],"web_search_options":{},'
            '"x_search_filter":{},"include_reasoning":false,"stream":false'
        )
    )
    assert sent(outgoing) == {}
    assert outgoing.notes == ()


def test_what_is_not_applied_is_not_sent_either() -> None:
    asked = call('"service_tier":"flex","seed":1', not_applied=("service_tier",))
    assert sent(write(asked)) == {"seed": 1}


def test_null_is_absent_where_we_know_the_member_and_kept_elsewhere() -> None:
    outgoing = write(
        call('"temperature":null,"tools":null,"max_tokens":null,"modalities":null,"own":null')
    )
    assert sent(outgoing) == {"own": None}
    assert outgoing.notes == ()


def test_a_stream_is_asked_for_with_its_usage() -> None:
    outgoing = write(call('"stream":true', stream=True))
    assert sent(outgoing) == {"stream": True, "stream_options": {"include_usage": True}}
    assert outgoing.notes == ()
    assert outgoing.headers[1] == ("Accept", "text/event-stream")


def test_other_stream_options_survive() -> None:
    source = '"stream_options":{"include_obfuscation":false,"include_usage":false}'
    assert sent(write(call(source, stream=True)))["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ('"stream_options":null', []),
        ('"stream_options":{"include_usage":true}', []),
        ('"stream_options":{"x":1}', [(Change.DROPPED, "stream_options")]),
    ],
)
def test_a_host_that_sends_usage_unasked_is_not_asked(source: str, expected: list[Any]) -> None:
    outgoing = write(call(source, stream=True), stream_usage=False)
    assert sent(outgoing) == {"stream": True}
    assert said(outgoing) == expected


def test_stream_options_without_a_stream_are_left_out() -> None:
    assert sent(write(call('"stream_options":{"include_usage":true}'))) == {}


def test_the_headers_of_the_host_are_sent() -> None:
    outgoing = write(call(""), host=provider(headers={"X-Title": "t"}))
    assert outgoing.headers[-1] == ("X-Title", "t")


def test_a_user_is_sent_as_an_opaque_id() -> None:
    outgoing = write(call('"user":"ada@example.org"', user="ada@example.org"))
    assert sent(outgoing) == {"user": opaque("ada@example.org")}
    assert b"ada" not in outgoing.body
    assert said(outgoing) == [(Change.RENAMED, "user")]
    assert opaque("ada") != opaque("bob")
    assert len(opaque("é" * 500)) <= 64


def test_a_user_that_the_host_rejects_is_dropped_only() -> None:
    outgoing = write(call('"user":"ada"', user="ada"), rejects=frozenset({"user"}))
    assert sent(outgoing) == {}
    assert said(outgoing) == [(Change.DROPPED, "user")]


def test_a_parameter_that_the_endpoint_does_not_list_is_dropped_and_noted() -> None:
    outgoing = write(call('"top_k":5,"seed":1,"own":2'), endpoint("seed"))
    assert sent(outgoing) == {"seed": 1, "own": 2}
    assert outgoing.notes == (
        Note(Change.DROPPED, "top_k", "this endpoint does not support it", "acme"),
    )


def test_an_endpoint_that_lists_nothing_gets_everything() -> None:
    assert sent(write(call('"top_k":5,"verbosity":"low"'))) == {"top_k": 5, "verbosity": "low"}


@pytest.mark.parametrize(
    ("source", "supports"),
    [
        ('"response_format":{"type":"json_object"}', "structured_outputs"),
        ('"parallel_tool_calls":false', "tools"),
        ('"top_logprobs":2', "logprobs"),
    ],
)
def test_support_of_one_parameter_may_include_another(source: str, supports: str) -> None:
    assert write(call(source, tools=True), endpoint(supports)).notes == ()
    assert len(write(call(source, tools=True), endpoint("seed")).notes) == 1


@pytest.mark.parametrize(
    ("source", "dropped"),
    [
        ('"tools":[]', ["tools"]),
        ('"tools":[ ],"tool_choice":"auto"', ["tools", "tool_choice"]),
        ('"tool_choice":"none"', ["tool_choice"]),
        ('"parallel_tool_calls":true', ["parallel_tool_calls"]),
        ('"tools":null,"tool_choice":null', []),
    ],
)
def test_without_tools_nothing_is_said_of_them(source: str, dropped: list[str]) -> None:
    outgoing = write(call(source))
    assert sent(outgoing) == {}
    assert said(outgoing) == [(Change.DROPPED, name) for name in dropped]


@pytest.mark.parametrize(
    ("source", "supports", "renames", "expected", "notes"),
    [
        ('"max_tokens":9', (), {}, {"max_tokens": 9}, []),
        ('"max_completion_tokens":9', (), {}, {"max_completion_tokens": 9}, []),
        ('"max_tokens":9', ("seed",), {}, {"max_tokens": 9}, []),
        ('"max_tokens":9', ("max_tokens",), {}, {"max_tokens": 9}, []),
        (
            '"max_tokens":9',
            ("max_completion_tokens",),
            {},
            {"max_completion_tokens": 9},
            [(Change.RENAMED, "max_tokens")],
        ),
        (
            '"max_completion_tokens":9',
            ("max_tokens",),
            {},
            {"max_tokens": 9},
            [(Change.RENAMED, "max_completion_tokens")],
        ),
        (
            '"max_tokens":9',
            ("max_tokens",),
            {"max_tokens": "max_completion_tokens"},
            {"max_completion_tokens": 9},
            [(Change.RENAMED, "max_tokens")],
        ),
        (
            '"max_completion_tokens":9',
            ("max_tokens",),
            {"max_tokens": "max_completion_tokens"},
            {"max_completion_tokens": 9},
            [],
        ),
        (
            '"max_tokens":9,"max_completion_tokens":8',
            (),
            {},
            {"max_completion_tokens": 8},
            [(Change.DROPPED, "max_tokens")],
        ),
    ],
)
def test_the_limit_of_output_goes_by_the_name_that_is_known(
    source: str,
    supports: tuple[str, ...],
    renames: dict[str, str],
    expected: dict[str, int],
    notes: list[Any],
) -> None:
    outgoing = write(call(source), endpoint(*supports), renames=renames)
    assert sent(outgoing) == expected
    assert said(outgoing) == notes


def test_quirks_reject_rename_and_add() -> None:
    outgoing = write(
        call('"seed":7,"logit_bias":{"1":2}'),
        rejects=frozenset({"logit_bias"}),
        renames={"seed": "random_seed"},
        adds={"safe_prompt": "false", "mode": "fast"},
    )
    assert sent(outgoing) == {"random_seed": 7, "safe_prompt": False, "mode": "fast"}
    assert said(outgoing) == [
        (Change.RENAMED, "seed"),
        (Change.DROPPED, "logit_bias"),
        (Change.INJECTED, "safe_prompt"),
        (Change.INJECTED, "mode"),
    ]


def test_the_callers_value_wins_over_what_a_quirk_adds_or_renames() -> None:
    outgoing = write(
        call('"random_seed":1,"seed":7,"safe_prompt":true'),
        renames={"seed": "random_seed"},
        adds={"safe_prompt": "false"},
    )
    assert sent(outgoing) == {"random_seed": 1, "safe_prompt": True}
    assert said(outgoing) == [(Change.DROPPED, "seed")]


@pytest.mark.parametrize(
    ("aggregator", "expected", "notes"),
    [
        (True, {"cache_control": {"type": "ephemeral"}}, []),
        (False, {}, [(Change.DROPPED, "cache_control")]),
    ],
)
def test_the_cache_marker_goes_to_aggregators_only(
    aggregator: bool,  # noqa: FBT001
    expected: dict[str, Any],
    notes: list[Any],
) -> None:
    asked = call('"cache_control":{"type":"ephemeral"}')
    outgoing = write(asked, host=provider(kind="aggregator" if aggregator else "host"))
    assert sent(outgoing) == expected
    assert said(outgoing) == notes


TURNS = (
    '[{"role":"user","content":"a"},'
    '{"role":"assistant","content":"b \\u00e9","reasoning":"r","reasoning_details":[{"index":0}]}]'
)


def turns(source: str = TURNS) -> ChatCall:
    members = {"model": msgspec.Raw(b'"m"'), "messages": msgspec.Raw(source.encode())}
    return call("", members=members)


def test_messages_pass_byte_by_byte() -> None:
    assert TURNS.encode() in write(turns(), rejects=frozenset({"seed", "messages.name"})).body


def test_members_of_messages_are_rejected_and_renamed_by_quirks() -> None:
    outgoing = write(
        turns(),
        rejects=frozenset({"messages.reasoning_details", "messages.annotations"}),
        renames={"messages.reasoning": "messages.reasoning_content", "seed": "random_seed"},
    )
    assert outgoing.body == (
        b'{"model":"turbo-1","messages":[{"role":"user","content":"a"},'
        b'{"role":"assistant","content":"b \\u00e9","reasoning_content":"r"}]}'
    )
    assert said(outgoing) == [
        (Change.DROPPED, "messages.reasoning_details"),
        (Change.RENAMED, "messages.reasoning"),
    ]


def test_a_word_in_a_message_is_no_member() -> None:
    source = '[{"role":"user","content":[{"type":"text","text":"x"},{"annotations":1}]}]'
    outgoing = write(turns(source), rejects=frozenset({"messages.annotations"}))
    assert source.encode() in outgoing.body
    assert outgoing.notes == ()


def test_a_call_without_messages_is_translated_all_the_same() -> None:
    asked = call("", members={"prompt": msgspec.Raw(b'"p"')})
    assert write(asked).body == b'{"model":"turbo-1","prompt":"p"}'


_known = {
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0.1, 1),
    "max_tokens": st.integers(1, 9),
    "seed": st.integers(),
    "stop": st.lists(st.text(max_size=3), max_size=4),
    "presence_penalty": st.floats(-2, 2),
    "user": st.text(max_size=9),
    "logprobs": st.booleans(),
    "provider": st.just({"order": ["acme"]}),
    "models": st.just(["a/b"]),
    "metadata": st.just({"team": "a"}),
    "session_id": st.text(max_size=9),
}


@given(st.fixed_dictionaries({}, optional=_known))
def test_what_leaves_suits_the_official_schema(members: dict[str, Any]) -> None:
    source = json.dumps(members)[1:-1]
    outgoing = write(call(source, stream=True, user=members.get("user")))
    body = TypeAdapter(CompletionCreateParamsStreaming).validate_json(outgoing.body)
    assert not body.keys() & {"provider", "models", "metadata", "session_id"}


PARAMETERS = ("max_tokens", "max_completion_tokens", "temperature", "stop", "seed")


@given(
    members=st.dictionaries(
        st.sampled_from([*PARAMETERS, "stream", "stream_options"]), st.sampled_from(["{}", "null"])
    ),
    supports=st.sets(st.sampled_from(PARAMETERS)),
    stream=st.booleans(),
    asks=st.booleans(),
)
def test_a_common_call_leaves_as_if_translated_member_by_member(
    members: dict[str, str], supports: set[str], *, stream: bool, asks: bool
) -> None:
    """A quirk that means nothing to the call has it translated so."""
    source = ",".join(f'"{name}":{value}' for name, value in members.items())
    asked = call(source, stream=stream)
    common, translated = (
        write(asked, endpoint(*supports), stream_usage=asks, rejects=frozenset(rejects))
        for rejects in ((), ("nothing",))
    )
    assert common == translated


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9).map("own_".__add__),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=3),
        ),
    )
)
def test_members_nobody_knows_survive_byte_by_byte(unknown: dict[str, Any]) -> None:
    source = ",".join(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in unknown.items())
    outgoing = write(call(source), endpoint("seed"))
    raw = msgspec.json.decode(outgoing.body, type=Members)
    assert {n: bytes(raw[n]) for n in unknown} == {
        n: json.dumps(v).encode() for n, v in unknown.items()
    }
    assert outgoing.notes == ()
