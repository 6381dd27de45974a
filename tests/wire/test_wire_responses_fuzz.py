"""Whatever comes in is read or refused in words: never another error, on the way in or out."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import GatewayError
from dragoman.providers.registry import DIALECTS
from dragoman.wire.hub import Chunk, Text
from dragoman.wire.responses.dialect import RESPONSES
from tests.providers.openai_calls import endpoint, provider
from tests.providers.responses_host import custom, function, message, reasoning, response, stream
from tests.providers.responses_host import text as said
from tests.wire.responses_calls import SPENT, call, told
from tests.wire.responses_events import STOPPED

WORDS = st.sampled_from([
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom",
    "local_shell_call", "shell_call_output", "tool_search_call", "item_reference", "function",
    "namespace", "allowed_tools", "web_search", "user", "assistant", "system", "input_text",
    "output_text", "refusal", "input_image", "input_file", "json_schema", "summary_text",
    "dm1.e30=", "auto", "required", "low", "x", "", "dm1.W3sidHlwZSI6InJlYXNvbmluZy50ZXh0In1d",
])  # fmt: skip
NAMES = st.sampled_from([
    "type", "role", "content", "id", "call_id", "name", "namespace", "arguments", "output", "input",
    "action", "operation", "summary", "encrypted_content", "format", "signature", "tools", "status",
    "text", "image_url", "file_data", "parameters", "strict", "description", "mode", "schema",
    "effort", "environment", "execution", "item", "part", "delta", "response", "output_index",
    "content_index", "summary_index", "item_id", "annotation", "logprobs", "error", "usage",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 2) | WORDS
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
ITEMS = st.lists(
    st.fixed_dictionaries({"type": WORDS}, optional={"role": WORDS, "content": TREES}).flatmap(
        lambda base: st.dictionaries(NAMES, TREES, max_size=5).map(lambda more: more | base)
    ),
    min_size=1,
    max_size=3,
)
MORE = ("tools", "tool_choice", "text", "reasoning", "include", "instructions")
MEMBERS = st.fixed_dictionaries(
    {"input": ITEMS | TREES},
    optional=dict.fromkeys(
        ("tools", "tool_choice", "text", "reasoning", "include", "instructions"), TREES
    ),
)
HOSTS = ("openai", "responses", "responses-xai")


@settings(max_examples=300)
@given(MEMBERS)
def test_any_request_is_read_or_refused(members: dict[str, Any]) -> None:
    body = json.dumps({"model": "acme/turbo", **members}).encode()
    with contextlib.suppress(GatewayError):
        asked = RESPONSES.parse(body, {})
        for name in HOSTS:
            with contextlib.suppress(GatewayError):
                json.loads(DIALECTS[name].request(asked, endpoint(), provider()).body)
        writer = RESPONSES.writer(told(asked))
        assert writer.text(Text(0, b'"x"'))
        assert writer.end(STOPPED, SPENT, b"")


EVENTS = [
    json.loads(data)
    for data in stream(
        response(
            reasoning("Hm.", content="Well."),
            message(said("Hello"), {"type": "refusal", "refusal": "No."}),
            function("f", "{}"),
            custom("patch", "x"),
        )
    )
]


@settings(max_examples=300)
@given(st.data())
def test_any_event_is_passed_on_or_refused(data: st.DataObject) -> None:
    changed = [dict(event) for event in EVENTS]
    for _ in range(3):
        event = data.draw(st.sampled_from(changed))
        event[data.draw(NAMES)] = data.draw(TREES)
        if data.draw(st.booleans()):
            event.pop(data.draw(NAMES), None)
    name = data.draw(st.sampled_from(HOSTS[1:]))
    decoder = DIALECTS[name].decoder()
    asked = call(include=["reasoning.encrypted_content"])
    writers = [RESPONSES.writer(told(asked, native=native)) for native in (False, True)]
    with contextlib.suppress(ValueError):
        for event in changed:
            chunk = decoder.feed(json.dumps(event).encode())
            if chunk is not None:
                pass_on(chunk, writers)
    for writer in writers:
        assert writer.end(STOPPED, SPENT, b"").endswith(b"data: [DONE]\n\n")


def pass_on(chunk: Chunk | Text, writers: list[Any]) -> None:
    """Have a chunk written, whose events must be JSON on one line each."""
    for writer in writers:
        try:
            if isinstance(chunk, Text):
                written = writer.text(chunk)
            else:
                written = writer.chunk(chunk, chunk.pieces)
        except ValueError as error:  # only reading may raise that
            raise AssertionError("a writer raised") from error
        for block in written.decode().split("\n\n")[:-1]:
            json.loads(block.removeprefix("data: "))
