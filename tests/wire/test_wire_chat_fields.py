"""Every field of a chat request: values that are forwarded, and values that are refused."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.wire.chat import ChatCall, parse_chat, parse_members
from dragoman.wire.hub import Members
from dragoman.wire.json import members

MINIMAL: dict[str, Any] = {"model": "a/b", "messages": [{"role": "user", "content": "Hi"}]}
EFFORT = '"max"|"xhigh"|"high"|"medium"|"low"|"minimal"|"none"'
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
SEARCH = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}


def parse(**fields: Any) -> ChatCall:
    return parse_chat(json.dumps(MINIMAL | fields).encode())


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert (caught.value.code, caught.value.type) == (400, "invalid_request")
    return caught.value


def test_every_known_field_may_be_null() -> None:
    nothing = dict.fromkeys(KNOWN - {"model", "messages"})
    call = parse(**nothing)
    assert call.members.keys() == nothing.keys() | MINIMAL.keys()
    assert (call.parameters, call.not_applied, call.reasoning) == (frozenset(), (), None)


KNOWN = {
    "audio", "cache_control", "debug", "fallback_models", "frequency_penalty", "image_config",
    "include_reasoning", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
    "max_tool_calls", "messages", "metadata", "min_p", "modalities", "model", "models", "n",
    "parallel_tool_calls", "plugins", "prediction", "presence_penalty", "preset",
    "prompt_cache_key", "prompt_cache_options", "provider", "reasoning", "reasoning_effort",
    "repetition_penalty", "response_format", "route", "seed", "service_tier", "session_id", "stop",
    "stop_server_tools_when", "stream", "stream_options", "structured_outputs", "temperature",
    "tool_choice", "tools", "top_a", "top_k", "top_logprobs", "top_p", "trace", "transforms",
    "usage", "user", "verbosity", "web_search_options", "x_search_filter",
}  # fmt: skip

NUMBERS = [
    ("temperature", [0, 0.7, 2], [-0.1, 2.1, 3], "must be a number between 0 and 2"),
    ("top_p", [0, 1], [-0.1, 1.1, 2], "must be a number between 0 and 1"),
    ("min_p", [0, 1], [-1, 1.1], "must be a number between 0 and 1"),
    ("top_a", [0, 1], [-1, 1.1], "must be a number between 0 and 1"),
    ("frequency_penalty", [-2, 0, 2], [-2.1, 2.1], "must be a number between -2 and 2"),
    ("presence_penalty", [-2, 0, 2], [-2.1, 2.1], "must be a number between -2 and 2"),
    ("repetition_penalty", [0, 2], [-0.1, 2.1], "must be a number between 0 and 2"),
    ("top_k", [0, 40], [-1, 1.5, 10**12], "must be an integer between 0 and 10000000"),
    ("max_tokens", [1, 10**7], [0, -1, 2.5, 10**12, 10**30], "must be an integer between 1 and"),
    ("max_completion_tokens", [1], [0, -1, 10**12], "must be an integer between 1 and 10000000"),
    ("n", [1, 128], [0, 129, 1000], "must be an integer between 1 and 128"),
    ("max_tool_calls", [1, 30], [0, 31], "must be an integer between 1 and 30"),
    (
        "seed",
        [0, -1, 2**63 - 1],
        [2**63, 10**30, 0.5],
        "must be an integer between -9223372036854775808 and 9223372036854775807",
    ),
]


@pytest.mark.parametrize(("name", "good", "bad", "reason"), NUMBERS)
def test_numbers_keep_to_their_range(
    name: str, good: list[float], bad: list[Any], reason: str
) -> None:
    for value in good:
        assert json.loads(bytes(parse(**{name: value}).members[name])) == value
    for value in [*bad, True, "1", [1], {}]:
        assert refusal(**{name: value}).message.startswith(f"{name}: {reason}")


@pytest.mark.parametrize("number", [b"1e999", b"9" * 400, b"9" * 5000, b"-1e999"])
@pytest.mark.parametrize("name", ["temperature", "seed", "max_tokens", "unheard_of"])
def test_numbers_that_nobody_can_hold_are_refused(name: str, number: bytes) -> None:
    body = b'{"model":"a/b","messages":[{"role":"user","content":"Hi"}],"%b":%b}'
    with pytest.raises(InvalidRequest, match=f"^{name}: "):
        parse_chat(body % (name.encode(), number))


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1.5, "x", [10**30], {}, False])
def test_unknown_fields_are_kept_for_forwarding(value: object) -> None:
    call = parse(safe_prompt=value)
    assert json.loads(bytes(call.members["safe_prompt"])) == value


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**30])
def test_unknown_numbers_must_fit_64_bits(value: int) -> None:
    assert refusal(raw_mode=value).message == "raw_mode: is out of range for a number"


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key", "custom_llm_provider"])
@pytest.mark.parametrize("value", ["http://127.0.0.1/", None])
def test_a_request_cannot_say_where_it_goes(name: str, value: str | None) -> None:
    assert refusal(**{name: value}).message == (
        f"{name}: is not accepted; where requests go is set by the operator"
    )


BAD: list[tuple[str, Any, str]] = [
    ("stream", "true", "stream: must be a boolean"),
    ("stream", 1, "stream: must be a boolean"),
    ("stream_options", True, "stream_options: must be an object"),
    ("stream_options", {"include_usage": 1}, "stream_options.include_usage: must be a boolean"),
    ("usage", {"include": "yes"}, "usage.include: must be a boolean"),
    ("debug", {"echo_upstream_body": 1}, "debug.echo_upstream_body: must be a boolean"),
    ("stop", 7, "stop: must be a string or an array of at most 4 items"),
    ("stop", ["a"] * 5, "stop: must be a string or an array of at most 4 items"),
    ("stop", ["a", 1], "stop.1: must be a string"),
    ("logit_bias", [], "logit_bias: must be an object"),
    ("logit_bias", {"50256": 101}, "logit_bias: each value must be a number between -100 and 100"),
    ("logprobs", 1, "logprobs: must be a boolean"),
    ("top_logprobs", 21, "top_logprobs: must be an integer between 0 and 20"),
    ("top_logprobs", 5, "top_logprobs: requires logprobs to be true"),
    ("response_format", "json", "response_format: must be an object"),
    (
        "response_format",
        {"type": "yaml"},
        (
            "response_format.type: Invalid option: expected one of "
            '"text"|"json_object"|"json_schema"|"grammar"|"python"'
        ),
    ),
    ("response_format", {}, "response_format.type: is required"),
    (
        "response_format",
        {"type": "json_schema"},
        "response_format.json_schema: is required",
    ),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "x" * 65}},
        "response_format.json_schema.name: must be a string of 1 to 64 characters",
    ),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "x", "schema": []}},
        "response_format.json_schema.schema: must be an object",
    ),
    ("response_format", {"type": "grammar"}, "response_format.grammar: is required"),
    ("structured_outputs", "yes", "structured_outputs: must be a boolean"),
    (
        "verbosity",
        "loud",
        'verbosity: Invalid option: expected one of "max"|"xhigh"|"high"|"medium"|"low"',
    ),
    (
        "prediction",
        {"type": "guess", "content": "x"},
        'prediction.type: Invalid option: expected one of "content"',
    ),
    ("prediction", {"type": "content"}, "prediction.content: is required"),
    (
        "modalities",
        ["text", "smell"],
        'modalities.1: Invalid option: expected one of "audio"|"image"|"text"',
    ),
    ("audio", {"voice": "alloy"}, "audio.format: is required"),
    ("image_config", 1, "image_config: must be an object"),
    ("plugins", {}, "plugins: must be an array"),
    ("plugins", [{}], "plugins.0.id: is required"),
    ("plugins", [{"id": "web", "enabled": 1}], "plugins.0.enabled: must be a boolean"),
    (
        "web_search_options",
        {"search_context_size": "huge"},
        (
            "web_search_options.search_context_size: "
            'Invalid option: expected one of "high"|"medium"|"low"'
        ),
    ),
    ("x_search_filter", [], "x_search_filter: must be an object"),
    (
        "transforms",
        ["outer"],
        'transforms.0: Invalid option: expected one of "middle-out"',
    ),
    ("cache_control", {}, "cache_control.type: is required"),
    (
        "cache_control",
        {"type": "ephemeral", "ttl": "1d"},
        'cache_control.ttl: Invalid option: expected one of "1h"|"5m"',
    ),
    ("prompt_cache_key", 1, "prompt_cache_key: must be a string"),
    ("prompt_cache_options", {"mode": "never"}, "prompt_cache_options.mode: Invalid option"),
    ("session_id", "x" * 257, "session_id: must be a string of at most 256 characters"),
    ("session_id", "a\r\nb", "session_id: must not contain control characters"),
    ("user", "x" * 513, "user: must be a string of at most 512 characters"),
    ("user", "a\nX-Admin: 1", "user: must not contain control characters"),
    ("user", "a\0", "user: must not contain control characters"),
    ("user", 7, "user: must be a string"),
    (
        "metadata",
        {f"k{i}": "v" for i in range(17)},
        "metadata: must be an object of at most 16 members",
    ),
    ("metadata", {"k": 1}, "metadata: each value must be a string of at most 512 characters"),
    (
        "metadata",
        {"k": "v" * 513},
        "metadata: each value must be a string of at most 512 character",
    ),
    ("metadata", {"k" * 65: "v"}, "metadata: each key must be a string of 1 to 64 characters"),
    ("metadata", {"k": "a\0b"}, "metadata: must not contain NUL characters"),
    ("metadata", {"a\0b": "v"}, "metadata: must not contain NUL characters"),
    ("trace", "abc", "trace: must be an object"),
    ("trace", {"trace_id": "a\0b"}, "trace: must not contain NUL characters"),
    ("trace", {"a": [[] for _ in range(70)]}, "trace: must not hold more than 64 objects and"),
    (
        "service_tier",
        "gold",
        (
            "service_tier: Invalid option: expected one of "
            '"auto"|"default"|"fast"|"flex"|"priority"|"scale"'
        ),
    ),
    ("preset", "", "preset: must be a string of at least 1 character"),
    (
        "stop_server_tools_when",
        [],
        "stop_server_tools_when: must be an array of at least 1 item",
    ),
    (
        "stop_server_tools_when",
        [{"type": "step_count_is"}],
        "stop_server_tools_when.0.step_count: is required",
    ),
    (
        "stop_server_tools_when",
        [{"type": "max_cost", "max_cost_in_dollars": -1}],
        "stop_server_tools_when.0.max_cost_in_dollars: must be a number of at least 0",
    ),
    ("route", "random", 'route: Invalid option: expected one of "fallback"|"lowest-cost"|"sort"'),
    ("provider", "openai", "provider: must be an object"),
    (
        "prompt",
        "Once upon",
        "prompt: is not accepted here; send 'messages', or POST /api/v1/completions",
    ),
    ("reasoning", "high", "reasoning: must be an object"),
    (
        "reasoning",
        {"effort": "extreme"},
        f"reasoning.effort: Invalid option: expected one of {EFFORT}",
    ),
    ("reasoning", {"max_tokens": -1}, "reasoning.max_tokens: must be an integer between 0 and"),
    ("reasoning", {"exclude": "no"}, "reasoning.exclude: must be a boolean"),
    (
        "reasoning",
        {"effort": "low", "max_tokens": 100},
        "reasoning.max_tokens: is an alternative to effort; give one of them",
    ),
    (
        "reasoning_effort",
        "extreme",
        f"reasoning_effort: Invalid option: expected one of {EFFORT}",
    ),
    ("include_reasoning", 1, "include_reasoning: must be a boolean"),
    ("tools", {}, "tools: must be an array"),
    ("tools", [{"function": {"name": "x"}}], "tools.0.type: is required"),
    ("tools", [{"type": "function"}], "tools.0.function: is required"),
    ("tools", [{"type": "function", "function": {}}], "tools.0.function.name: is required"),
    (
        "tools",
        [{"type": "function", "function": {"name": "no spaces"}}],
        "tools.0.function.name: must be a string of 1 to 128 characters that matches",
    ),
    (
        "tools",
        [{"type": "function", "function": {"name": "x" * 129}}],
        "tools.0.function.name: must be a string of 1 to 128 characters",
    ),
    (
        "tools",
        [{"type": "function", "function": {"name": "x\n"}}],
        "tools.0.function.name: must be a string of 1 to 128 characters",
    ),
    (
        "tools",
        [{"type": "function", "function": {"name": "x", "parameters": "none"}}],
        "tools.0.function.parameters: must be an object",
    ),
    (
        "tools",
        [{"type": "hammer"}],
        'tools.0.type: Invalid option: expected "function" or a server tool',
    ),
    (
        "tool_choice",
        "any",
        'tool_choice: must be one of "auto"|"required"|"none" or an object',
    ),
    ("tool_choice", "required", "tool_choice: needs tools to choose from"),
    ("tool_choice", {}, "tool_choice.type: is required"),
    ("tool_choice", {"type": "function"}, "tool_choice.function: is required"),
    (
        "tool_choice",
        {"type": "function", "function": {"name": "look_up"}},
        "tool_choice.function.name: is not the name of one of 'tools'",
    ),
    (
        "tool_choice",
        {"type": "hammer"},
        'tool_choice.type: Invalid option: expected "function" or a server tool',
    ),
    ("parallel_tool_calls", "yes", "parallel_tool_calls: must be a boolean"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_bad_value_is_refused_by_name_and_reason(name: str, value: object, message: str) -> None:
    assert refusal(**{name: value}).message.startswith(message)


GOOD: list[tuple[str, Any]] = [
    ("stop", "\n"),
    ("stop", ["a"] * 4),
    ("stop", []),
    ("logit_bias", {"50256": -100, "1": 100}),
    ("response_format", {"type": "text"}),
    ("response_format", {"type": "python"}),
    ("response_format", {"type": "grammar", "grammar": "root ::= x"}),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "strict": None}}),
    ("prediction", {"type": "content", "content": [{"type": "text", "text": "x"}]}),
    ("audio", {"voice": "alloy", "format": "pcm16"}),
    ("audio", {"voice": {"id": "voice_1"}, "format": "wav"}),
    ("image_config", {"aspect_ratio": "16:9"}),
    ("cache_control", {"type": "ephemeral", "ttl": "1h"}),
    ("prompt_cache_options", {"mode": "explicit", "ttl": "30m"}),
    ("prompt_cache_options", {"mode": "implicit"}),
    ("prompt_cache_options", {"ttl": "12h"}),
    ("session_id", "x" * 256),
    ("user", "Zoë\u00a0\u3000😀"),
    ("metadata", {f"k{i}": "v" * 512 for i in range(16)}),
    ("trace", {"trace_id": "a\\u0000b", "deep": {"more": [1, 2.5, None]}}),
    ("service_tier", "auto"),
    ("transforms", []),
    ("plugins", [{"id": "web", "enabled": False}]),
    ("stream_options", {"include_usage": True, "more": 1}),
    ("usage", {"include": True}),
    ("tools", []),
    ("tool_choice", "auto"),
    ("tool_choice", "none"),
    ("prompt", None),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_a_good_value_is_forwarded_and_takes_effect(name: str, value: object) -> None:
    call = parse(**{name: value})
    assert json.loads(bytes(call.members[name])) == value
    assert call.not_applied == ()


def test_a_value_out_of_range_within_free_text_is_worded_by_the_parser() -> None:
    body = b'{"model":"a","messages":[{"role":"user","content":"x"}],"trace":{"a":[1e999]}}'
    with pytest.raises(InvalidRequest, match=r"^trace\.0: Number out of range$"):
        parse_chat(body)


def test_what_nests_too_deep_for_where_it_is_read_is_refused() -> None:
    def deeper(levels: int, found: Members) -> ChatCall:
        return deeper(levels - 1, found) if levels else parse_members(found)

    body = b'{"model":"a","messages":[{"role":"user","content":"x"}],"x":%b1%b}'
    found = members(body % (b"[" * 800, b"]" * 800))
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        deeper(300, found)
