"""Whatever a caller sends is a call or a refusal that names a field, and never another error."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import CallerError, InvalidRequest
from dragoman.wire.chat import ORDINARY, ChatCall, parse_chat
from dragoman.wire.fields import ChatFields
from dragoman.wire.provider_object import ProviderFields

NAMES = st.sampled_from([
    "type", "role", "content", "id", "name", "function", "arguments", "effort", "max_tokens",
    "enabled", "text", "url", "file", "image_url", "json_schema", "schema", "p50", "by", "prompt",
    "tool_calls", "only", "order", "sort", "max_price",
])  # fmt: skip
WORDS = st.sampled_from([
    "function", "text", "json_schema", "user", "assistant", "tool", "image_url", "file", "high",
    "none", "auto", "price", "openrouter:web_search", "a/b", "", "\x00", "ephemeral", "content",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted(ChatFields.__struct_fields__))
MINIMAL: dict[str, Any] = {"model": "a/b", "messages": [{"role": "user", "content": "Hi"}]}


def outcome(body: dict[str, Any]) -> ChatCall | str:
    """Return the call, or the words of the refusal. Any other error fails the test."""
    try:
        return parse_chat(json.dumps(body).encode())
    except InvalidRequest as error:
        return error.message


def is_worded(found: ChatCall | str) -> bool:
    """Whether a refusal is in our words, as path and reason, rather than the parser's."""
    return isinstance(found, ChatCall) or (
        "Expected `" not in found
        and (": " in found or found.startswith("'") or "model ID" in found)
    )


@given(FIELDS, VALUES)
def test_any_value_of_any_field_is_accepted_or_refused_by_name(name: str, value: object) -> None:
    found = outcome(MINIMAL | {name: value})
    assert is_worded(found)
    if isinstance(found, str):
        assert name.split("_", maxsplit=1)[0] in found or "model ID" in found
    elif name != "tools":
        assert json.loads(bytes(found.members[name])) == value


@given(st.dictionaries(FIELDS, VALUES, max_size=5))
def test_any_fields_together_are_accepted_or_refused(fields: dict[str, Any]) -> None:
    assert is_worded(outcome(MINIMAL | fields))


@given(st.dictionaries(st.sampled_from(sorted(ORDINARY - {"messages"})), VALUES, max_size=5))
def test_ordinary_members_read_alike_beside_others(fields: dict[str, Any]) -> None:
    """A member that asks for nothing has the request read in full."""
    alone, beside = outcome(MINIMAL | fields), outcome(MINIMAL | fields | {"user": None})
    if isinstance(beside, ChatCall):
        beside.members.pop("user")
    assert alone == beside


@given(st.lists(VALUES, max_size=3), st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_messages_are_accepted_or_refused(messages: list[Any], more: dict[str, Any]) -> None:
    assert is_worded(outcome(MINIMAL | {"messages": messages}))
    for role in ("user", "assistant", "tool"):
        message = {"content": messages, **more, "role": role}
        assert is_worded(outcome(MINIMAL | {"messages": [message]}))


@given(st.dictionaries(st.sampled_from(ProviderFields.__struct_fields__), VALUES, max_size=3))
def test_any_wishes_are_accepted_or_refused(wishes: dict[str, Any]) -> None:
    assert is_worded(outcome(MINIMAL | {"provider": wishes}))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_call(body: bytes) -> None:
    for whole in (body, b'{"model":"a","messages":[{"role":"user","content":' + body):
        with suppress(CallerError):
            assert isinstance(parse_chat(whole), ChatCall)
