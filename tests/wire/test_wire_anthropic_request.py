"""Messages requests: what they come to in the hub, what is passed on, what is refused."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.wire.anthropic.dialect import MESSAGES
from tests.wire.messages_told import HI, parse

GOLDEN = sorted((Path(__file__).parent / "golden/messages/requests").glob("*.json"))
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
CALL = '{"type":"tool_use","id":"t","name":"f","input":%s}'
TOOL = {"name": "f", "input_schema": {"type": "object"}}


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_requests_as_documented(file: Path) -> None:
    golden = json.loads(file.read_text())
    sent = golden["sent"]
    call = MESSAGES.parse(json.dumps(sent).encode(), {})
    assert {n: json.loads(bytes(v)) for n, v in call.members.items()} == golden["hub"]
    assert call.native is not None
    own = {n: json.loads(bytes(v)) for n, v in call.native.members.items()}
    expected = {n: v for n, v in sent.items() if n not in golden.get("not_passed_on", ())}
    assert own == expected | golden.get("passed_on_as", {})
    notes = [f"{note.change.value} {note.field}: {note.detail}" for note in call.native.notes]
    assert notes == golden["notes"]
    assert [note.field for note in call.native.changes] == golden["changes"]


def test_what_is_passed_on_keeps_its_bytes() -> None:
    odd = b'{"model" :"a/b","messages":[ {"role":"user" ,"content":"\\u00e9"}],"max_tokens":9}'
    native = MESSAGES.parse(odd, {}).native
    assert native is not None
    assert bytes(native.members["messages"]) == b'[ {"role":"user" ,"content":"\\u00e9"}]'


def test_what_is_passed_on_keeps_its_bytes_beside_a_thought_of_others() -> None:
    kept = b'{"role":"user" , "content":"x"}'
    block = b'{ "type":"text","text":"y"}'
    body = b'{"model":"a/b","messages":[%b,{"role":"assistant","content":[%b,%b]}]}' % (
        kept,
        b'{"type":"thinking","thinking":"t"}',
        block,
    )
    native = MESSAGES.parse(body, {}).native
    assert native is not None
    assert bytes(native.members["messages"]) == b'[%b,{"role":"assistant","content":[%b]}]' % (
        kept,
        block,
    )


def test_headers_of_the_dialect_are_kept_and_no_others() -> None:
    call = parse({
        b"anthropic-version": b"2026-10-21",
        b"anthropic-beta": b"a-2026-01-01",
        b"x-anthropic-beta": b"b-2026-01-01",
        b"authorization": b"Bearer secret",
        b"x-stainless-timeout": b"NOT_GIVEN",
    })  # fmt: skip
    assert call.native is not None
    assert call.native.headers == (
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "a-2026-01-01"),
        ("x-anthropic-beta", "b-2026-01-01"),
    )


def test_the_newer_version_is_taken_with_what_it_refuses() -> None:
    call = parse({b"anthropic-version": b"2026-10-21"}, temperature=0.5)
    assert "temperature" in call.parameters


def test_what_a_call_says_of_itself() -> None:
    call = parse(
        stream=True,
        fallbacks=[{"model": "c/d"}],
        session_id="s",
        metadata={"user_id": "u"},
        tools=[TOOL],
        messages=[
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {"type": "text", "text": "four"},
            ]},
        ],
    )  # fmt: skip
    assert call.models == ("acme/turbo", "c/d")
    assert (call.stream, call.max_tokens, call.session_id, call.user) == (True, 9, "s", "u")
    assert call.inputs == {"text", "image"}
    assert call.text_bytes == 4
    assert call.tools
    assert call.kind == "chat"


def test_models_to_fall_back_to_by_openrouters_name() -> None:
    assert parse(models=["c/d", "e/f"], fallbacks=[]).models[1:] == ("c/d", "e/f")


def test_the_least_that_may_be_sampled_from_is_taken() -> None:
    assert "top_p" in parse(top_p=0).parameters


def test_a_long_name_of_a_tool_is_taken() -> None:
    name = "mcp__" + "x" * 123
    call = parse(tools=[TOOL | {"name": name}])
    assert json.loads(bytes(call.members["tools"]))[0]["function"]["name"] == name


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages: must be an array of at least 1 item"),
    ({"messages": "x"}, "messages: must be an array"),
    ({"messages": [{"content": "x"}]}, "messages.0.role: is required"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Invalid option"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: is required"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content: must be a string or"),
    ({"model": 1}, "model: must be a string"),
    ({"model": None}, "model: is required"),
    ({"max_tokens": 0}, "max_tokens: must be an integer"),
    ({"max_tokens": "9"}, "max_tokens: must be an integer"),
    ({"temperature": 3}, "temperature: must be a number between 0 and 2"),
    ({"stream": "yes"}, "stream: must be a boolean"),
    ({"system": [{"type": "image"}]}, "system.0.source: is required"),
    ({"system": [{"type": "tool_use", **USE}]}, "system.0.type: Invalid option"),
    ({"stop_sequences": "x"}, "stop_sequences: must be an array"),
    ({"metadata": {"user_id": "x" * 513}}, "metadata.user_id: must be a string of at most 512"),
    ({"fallbacks": [{"model": "c/d", "max_tokens": 1}]}, "fallbacks.0.max_tokens: is not known"),
    ({"fallbacks": [{"model": "m"}] * 4}, "'fallbacks' array must have 3 items or fewer."),
    ({"fallbacks": [{"model": "m"}], "models": ["x/y"]}, "fallbacks: cannot be combined"),
    ({"top_p": -0.1}, "top_p: must be a number between 0 and 1"),
    ({"api_base": "https://evil.example"}, "api_base: is not accepted"),
    ({"provider": {"order": 1}}, "provider.order: must be an array"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens: is required"),
    ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.budget_tokens: must be"),
    ({"thinking": {}}, "thinking.type: is required"),
    ({"thinking": {"type": "adaptive", "display": "x"}}, "thinking.display: Invalid option"),
    ({"output_config": {"effort": "much"}}, "output_config.effort: Invalid option"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type: Invalid option"),
    ({"output_config": {"format": {"type": "json_schema", "schema": 1}}},
     "output_config.format.schema: must be an object"),
    ({"tools": [{}]}, "tools.0.name: is required"),
    ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools.0.name: must be a string"),
    ({"tools": [{"name": "f"}]}, "tools.0.input_schema: is required"),
    ({"tools": [{"name": "f", "input_schema": []}]}, "tools.0.input_schema: must be an object"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name: is required"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name: is not"),
    ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type: Invalid option"),
    ({"tool_choice": {"type": "any"}}, "tool_choice: needs tools"),
    ({"tool_choice": "auto"}, "tool_choice: must be an object"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_is_wrong_is_said_by_its_path(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(**body)
    assert refused.value.message.startswith(message), refused.value.message


BAD_BLOCKS: list[tuple[str, Any, str]] = [
    ("user", {}, "type: is required"),
    ("user", "x", ": must be an object"),
    ("user", {"type": 1}, "type: must be a string"),
    ("user", {"type": "text"}, "text: is required"),
    ("user", {"type": "text", "text": None}, "text: must be a string"),
    ("user", {"type": "image", "source": {"type": "ftp"}}, "source.type: Invalid option"),
    ("user", {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                          "data": "not base64!"}}, "source.data: is not base64"),
    ("user", {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                          "data": "aGVsbG8"}}, "source.data: is not base64"),
    ("user", {"type": "image", "source": {"type": "base64", "media_type": "x,y",
                                          "data": "aGk="}}, "source.media_type: must be a media"),
    ("user", {"type": "document", "source": {"type": "content", "content": [USE]}},
     "source.content.0.type: Invalid option"),
    ("user", USE, "type: is not accepted here"),
    ("user", {"type": "thinking", "thinking": "x"}, "type: is not accepted here"),
    ("user", {"type": "tool_result"}, "tool_use_id: is required"),
    ("user", {"type": "tool_result", "tool_use_id": "t", "content": [USE]}, "content.0.type"),
    ("assistant", {"type": "tool_result", "tool_use_id": "t"}, "type: is not accepted here"),
    ("assistant", USE | {"input": "x"}, "input: must be an object"),
    ("assistant", USE | {"name": ""}, "name: must be a string of 1 to 256 characters"),
    ("assistant", {"type": "redacted_thinking"}, "data: is required"),
    ("system", {"type": "image", "source": {"type": "url", "url": "u"}}, "type: Invalid option"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "block", "message"), BAD_BLOCKS)
def test_what_is_wrong_with_a_block_is_said_by_its_path(
    role: str, block: Any, message: str
) -> None:
    with pytest.raises(InvalidPrompt) as refused:
        parse(messages=[*HI, {"role": role, "content": [block]}])
    where = refused.value.message.removeprefix("messages.1.content.0")
    assert where.removeprefix(".").startswith(message), refused.value.message


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"nul", b'{"model":"a","model":"b"}', b"\xff\xfe{}", b'{"a":' + b"[" * 5000],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        MESSAGES.parse(body, {})


@pytest.mark.parametrize(
    "place",
    [
        '{"messages":[{"role":"user","content":[{"type":"text","text":%s}]}]}',
        '{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":%s}]}',
        '{"messages":[{"role":"assistant","content":[' + CALL + "]}]}",
        '{"messages":[{"role":"user","content":[{"type":"new","x":%s}]}]}',
    ],
)
@pytest.mark.parametrize("depth", [900, 1100, 100_000])
def test_what_is_nested_too_deeply_is_no_defect(place: str, depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    body = (place % deep).replace("{", '{"model":"a/b",', 1)
    with suppress(InvalidRequest):
        assert MESSAGES.parse(body.encode(), {}).members
