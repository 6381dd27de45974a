"""The rules of a chat request that no single type can hold.

What may not be there at all, what one member says of another, and what may not
stand in text that is kept: shapes are declared in `fields`.
"""

import re
from typing import Any, Literal, Protocol

import msgspec

from dragoman.core.errors import AVAILABILITY_DOCS_URL, Availability, InvalidRequest
from dragoman.wire.fields import ChatFields
from dragoman.wire.hub import Members
from dragoman.wire.preferences import Preferences
from dragoman.wire.tools import check_choice, function_names

MOST_MODELS = 3
MOST_TRACE_STRUCTURE = 64
FORBIDDEN = frozenset({"api_base", "base_url", "api_key", "custom_llm_provider"})
"""What would let a caller choose where a request, and a credential of ours, goes."""

KEPT = frozenset({"user", "session_id", "metadata", "trace"})
"""What is recorded with the generation."""

Partition = Literal["model", "none"]


class Kept(Protocol):
    """The members that are recorded with a generation."""

    @property
    def user(self) -> str | None:
        """Who asks, in the caller's words."""

    @property
    def session_id(self) -> str | None:
        """What the request belongs to."""

    @property
    def metadata(self) -> dict[str, str] | None:
        """Labels of the caller."""

    @property
    def trace(self) -> dict[str, Any] | None:
        """What the request is part of, in the caller's tracing."""


_KNOWN = frozenset(ChatFields.__struct_fields__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARTITIONS: dict[str, Partition] = {"fallback": "model", "sort": "none", "lowest-cost": "none"}
_any = msgspec.json.Decoder().decode


def check_names(found: Members) -> None:
    """Raise InvalidRequest for members that may not be there, and numbers nobody can hold."""
    if not FORBIDDEN.isdisjoint(found):
        name = min(FORBIDDEN & found.keys())
        raise InvalidRequest(f"{name}: is not accepted; where requests go is set by the operator")
    if "prompt" in found and found["prompt"] != msgspec.Raw(b"null"):
        instead = "send 'messages', or POST /api/v1/completions"
        raise InvalidRequest(f"prompt: is not accepted here; {instead}")
    for name in found.keys() - _KNOWN:
        _check_number(name, found[name])


def check_values(fields: ChatFields, found: Members) -> None:
    """Raise InvalidRequest when members contradict each other, or cannot be kept."""
    most, newer = fields.max_tokens, fields.max_completion_tokens
    if most is not None and newer is not None and most != newer:
        raise InvalidRequest("max_tokens: contradicts max_completion_tokens")
    if fields.top_logprobs is not None and fields.logprobs is not True:
        raise InvalidRequest("top_logprobs: requires logprobs to be true")
    if fields.tools or fields.tool_choice:
        tools = fields.tools or []
        check_choice(fields.tool_choice, tools, function_names(tools))
    check_kept(fields, found)


def models(
    model: str | None, models: list[str] | None = None, fallbacks: list[str] | None = None
) -> tuple[str, ...]:
    """Return the models to try, each once, `model` first. Raises InvalidRequest for none."""
    if model and model.isprintable() and not (models or fallbacks):
        return (model,)
    named = [] if model is None else [model]
    for name, more in (("models", models), ("fallback_models", fallbacks)):
        if more:
            if len(more) > MOST_MODELS:
                raise InvalidRequest(f"'{name}' array must have {MOST_MODELS} items or fewer.")
            named += more
    if not named:
        raise no_model("model: is required, unless 'models' names some")
    for name in named:
        if not name.isprintable():
            raise no_model(f"{name} is not a valid model ID", name)
    return tuple(dict.fromkeys(named))


def no_model(message: str, *requested: str) -> InvalidRequest:
    """Return the refusal of a name that no model can have, in OpenRouter's vocabulary."""
    return InvalidRequest(
        message,
        availability=Availability(
            code="model_not_found",
            retryable=False,
            requested_models=requested,
            docs_url=AVAILABILITY_DOCS_URL,
        ),
    )


def partition(fields: ChatFields, preferences: Preferences) -> tuple[Partition, bool]:
    """Return how models compete, and whether price alone decides. Raises InvalidRequest.

    `route` is the deprecated spelling of `provider.sort.partition`; `lowest-cost`
    is all endpoints of all models by price.
    """
    route, given = fields.route, preferences.partition
    if route is None:
        return given or "model", False
    wanted = _PARTITIONS[route]
    by_price = route == "lowest-cost"
    if given not in {None, wanted} or (by_price and preferences.sort not in {None, "price"}):
        raise InvalidRequest("route: contradicts provider.sort")
    return wanted, by_price


def _check_number(name: str, value: msgspec.Raw) -> None:
    """Refuse a number of an unknown member that does not fit 64 bits."""
    text = bytes(value)
    if text[0] not in b"-0123456789":
        return
    try:
        number = _any(text)
    except msgspec.ValidationError:
        number = 2**64
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise InvalidRequest(f"{name}: is out of range for a number")


def check_kept(fields: Kept, found: Members) -> None:
    """Refuse text that a database, or the header of another request, cannot hold."""
    if KEPT.isdisjoint(found):
        return
    for name, text in (("user", fields.user), ("session_id", fields.session_id)):
        if text is not None and _CONTROL.search(text):
            raise InvalidRequest(f"{name}: must not contain control characters")
    if fields.metadata and "\0" in "".join([*fields.metadata, *fields.metadata.values()]):
        raise InvalidRequest("metadata: must not contain NUL characters")
    if fields.trace:
        _check_trace(bytes(found["trace"]))


def _check_trace(text: bytes) -> None:
    # Escaped backslashes come in pairs, so that what is left of `\u0000` is one.
    if b"\\u0000" in text.replace(b"\\\\", b""):
        raise InvalidRequest("trace: must not contain NUL characters")
    if text.count(b"{") + text.count(b"[") > MOST_TRACE_STRUCTURE:
        limit = MOST_TRACE_STRUCTURE
        raise InvalidRequest(f"trace: must not hold more than {limit} objects and arrays")
