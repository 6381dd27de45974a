"""Calls in the words of Gemini's `generateContent`, and what is said of all that did not fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.types import Provider, Quirks
from dragoman.core.errors import InvalidRequest
from dragoman.providers.gemini.families import family
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from tests.providers import gemini_calls as gemini


@pytest.mark.parametrize("path", gemini.golden("requests"), ids=lambda path: path.stem)
def test_requests_are_as_the_golden_files_have_them(path: Path) -> None:
    told = gemini.read(path)
    host = gemini.provider(told["dialect"])
    outgoing = gemini.of(told["hub"], gemini.endpoint(told["upstream"]), host)
    assert outgoing.path == told["path"]
    assert gemini.sent(outgoing) == told["body"]
    notes = [[note.change.value, note.field, note.detail] for note in outgoing.notes]
    assert notes == told["notes"]


def test_text_schemas_and_arguments_keep_their_bytes() -> None:
    schema = '{"type" :"object","x":1.50,"y":"\\u00e9"}'
    body = (
        '{"model":"google/m","messages":[{"role":"user","content":"h\\u00e9llo\\/"},'
        '{"role":"assistant","tool_calls":[{"id":"c","type":"function",'
        '"function":{"name":"f","arguments":"{\\"a\\" :1.50}"}}]}],'
        '"tools":[{"type":"function","function":{"name":"f","parameters":' + schema + "}}]}"
    )
    call = parse_chat(body.encode())
    dialect = DIALECTS["gemini"]
    made = dialect.request(call, gemini.endpoint(), gemini.provider()).body
    for kept in (b'"h\\u00e9llo\\/"', b'"parametersJsonSchema":' + schema.encode(), b'{"a" :1.50}'):
        assert kept in made


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,§"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:text/plain,hi"}}, "image_url.url"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,A=A="}},
            "image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}},
            "image_url.url",
        ),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AAAA"}}, "url"),
        ({"type": "image_url", "image_url": {"url": "ftp://a/b.png"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "https://[x"}}, "image_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "a b", "format": "wav"}}, "data"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id"),
        ({"type": "video_url", "video_url": {"url": "file:///etc/passwd"}}, "video_url.url"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_by_name(part: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        gemini.write({"messages": [{"role": "user", "content": [part]}]})
    assert str(refused.value).startswith("messages.0.content.0.")
    assert path in str(refused.value).partition(": ")[0]
    assert "Google AI Studio" in str(refused.value)


@pytest.mark.parametrize(
    ("hub", "field"),
    [
        (
            {"messages": [gemini.HELLO, {"role": "tool", "tool_call_id": "x", "content": "1"}]},
            "messages.1.tool_call_id",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "1st"}}]},
            "tools.0.function.name",
        ),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        (
            {
                "messages": [
                    gemini.HELLO,
                    {"role": "assistant", "content": "", "reasoning_details": [{"type": 7}]},
                ]
            },
            "messages",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(hub: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        gemini.write(hub)
    assert str(refused.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "arguments", ["[1]", "7", '"text"', "{", "{'a': 1}", '{"a":1}x', "[" * 5_000, "\ud7ff"]
)
def test_arguments_that_are_no_object_are_still_told(arguments: str) -> None:
    function = {"name": "f", "arguments": arguments}
    call = {"id": "c", "type": "function", "function": function}
    outgoing = gemini.write(
        {"messages": [gemini.HELLO, {"role": "assistant", "tool_calls": [call]}]}
    )
    part = gemini.sent(outgoing)["contents"][1]["parts"][0]
    assert part["functionCall"]["args"] == {"arguments": arguments}
    assert gemini.noted(outgoing) == [("renamed", "messages.1.tool_calls.0.function.arguments")]


def test_an_endpoint_gets_no_parameter_that_it_does_not_list() -> None:
    hub = {"temperature": 1, "seed": 4, "top_k": 3, "stop": "x"}
    outgoing = gemini.write(hub, "gemini-2.5-flash", "seed", "stop")
    assert gemini.sent(outgoing)["generationConfig"] == {"seed": 4, "stopSequences": ["x"]}
    assert gemini.noted(outgoing) == [("dropped", "temperature"), ("dropped", "top_k")]


def test_an_operator_can_have_members_added_and_left_out() -> None:
    settings = '[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]'
    quirks = Quirks(rejects=frozenset({"seed"}), adds={"safetySettings": settings})
    host = Provider(
        slug="g", name="G", dialect="gemini", base_url="https://x/v1", quirks=quirks,
        headers={"X-Team": "blue"},
    )  # fmt: skip
    outgoing = gemini.of({"seed": 4}, gemini.endpoint(), host)
    assert "generationConfig" not in gemini.sent(outgoing)
    assert gemini.sent(outgoing)["safetySettings"][0]["threshold"] == "OFF"
    assert gemini.noted(outgoing) == [("dropped", "seed"), ("injected", "safetySettings")]
    assert ("X-Team", "blue") in outgoing.headers


@pytest.mark.parametrize(
    ("upstream", "path"),
    [
        ("models/gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"),
        ("a/../b?c#d", "/models/a%2F..%2Fb%3Fc%23d:generateContent"),
    ],
)
def test_a_models_name_stays_one_segment_of_the_path(upstream: str, path: str) -> None:
    assert gemini.write({}, upstream).path == path


def test_signatures_that_are_not_base64_stay_out() -> None:
    detail = {"type": "reasoning.encrypted", "data": "§", "format": "google-gemini-v1", "id": None}
    message = {"role": "assistant", "content": "Hi", "reasoning_details": [detail]}
    outgoing = gemini.write({"messages": [gemini.HELLO, message]})
    assert gemini.sent(outgoing)["contents"][1]["parts"] == [{"text": "Hi"}]
    assert gemini.noted(outgoing) == [("dropped", "messages.reasoning_details")]


@pytest.mark.parametrize(
    ("form", "parts", "noted"),
    [
        (
            "google-gemini-v1",
            [{"text": 'H\u00e9 "so"', "thought": True, "thoughtSignature": "AAEC"}],
            [],
        ),
        ("anthropic-claude-v1", [], [("dropped", "messages.reasoning_details")]),
    ],
)
def test_fragments_of_a_thought_are_one_again(form: str, parts: list[Any], noted: Any) -> None:
    """Who signed it, if anybody, is told by the last of them."""
    thought = {"type": "reasoning.text", "index": 3}
    details = [
        {**thought, "text": 'H\u00e9 "', "format": "unknown"},
        {**thought, "text": 'so"', "format": "unknown"},
        {**thought, "signature": "AAEC", "format": form},
    ]
    message = {"role": "assistant", "content": "Hi", "reasoning_details": details}
    outgoing = gemini.write({"messages": [gemini.HELLO, message]})
    assert gemini.sent(outgoing)["contents"][1]["parts"] == [*parts, {"text": "Hi"}]
    assert gemini.noted(outgoing) == noted


def test_a_signature_whose_call_is_gone_goes_to_the_first_call() -> None:
    detail = {"type": "reasoning.encrypted", "data": "AAEC", "format": "google-gemini-v1"}
    call = {"id": "mine", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {
        "role": "assistant", "tool_calls": [call],
        "reasoning_details": [{**detail, "id": "theirs"}],
    }  # fmt: skip
    outgoing = gemini.write({"messages": [gemini.HELLO, message]}, "gemini-3-flash-preview")
    assert gemini.sent(outgoing)["contents"][1]["parts"][0]["thoughtSignature"] == "AAEC"
    assert gemini.noted(outgoing) == []


def test_maas_models_at_vertex_get_openais_chat_below_their_own_path() -> None:
    host = Provider(slug="v", name="Google", dialect="vertex-openai", base_url="https://x/v1")
    outgoing = gemini.of({"seed": 4}, gemini.endpoint("zai-org/glm-5-maas"), host)
    assert outgoing.path == "/endpoints/openapi/chat/completions"
    assert gemini.sent(outgoing)["model"] == "zai-org/glm-5-maas"


@pytest.mark.parametrize(
    ("name", "levels", "most"),
    [
        ("gemini-1.5-pro", False, 0),
        ("gemini-2.0-flash-001", False, 0),
        ("gemini-2.5-pro", False, 32_768),
        ("gemini-2.5-flash-lite", False, 24_576),
        ("gemini-3.1-pro-preview", True, 0),
        ("models/gemini-flash-latest", True, 0),
        ("gemini-10-pro", True, 0),
        ("gemma-4-31b-it", False, 0),
        ("my-gemini-2.5-pro", False, 0),
    ],
)
def test_a_models_name_tells_its_generation(name: str, levels: bool, most: int) -> None:  # noqa: FBT001
    assert (family(name).levels, family(name).most) == (levels, most)


def test_claude_at_vertex_gets_messages_below_its_makers_path() -> None:
    host = Provider(slug="v", name="Google", dialect="vertex-anthropic", base_url="https://x/v1")
    hub = {"stream": True, "max_tokens": 9}
    outgoing = gemini.of(hub, gemini.endpoint("claude-sonnet-5@default"), host)
    assert outgoing.path == (
        "/publishers/anthropic/models/claude-sonnet-5@default:streamRawPredict"
    )
    body = gemini.sent(outgoing)
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body
    refusal = json.dumps({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "No."}})
    fault = DIALECTS["vertex-anthropic"].fault(429, {}, refusal.encode())
    assert fault.error_type == "rate_limit_exceeded"
