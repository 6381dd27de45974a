"""Puts a call into the words of Gemini's `generateContent`.

The body is made anew: members are taken where the API has a place for them, everything else is
left out with a note. Text, schemas and arguments keep the bytes they came with.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change
from dragoman.providers.additions import additions
from dragoman.providers.dialect import Outgoing
from dragoman.providers.gemini.contents import KNOWN, converse
from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.formats import shape
from dragoman.providers.gemini.thinking import think
from dragoman.providers.gemini.tools import equip
from dragoman.providers.gemini.values import NULL
from dragoman.providers.openai.request import GATEWAY_ONLY
from dragoman.providers.strangers import strange_settings, strangers
from dragoman.providers.tiers import NOT_SOLD, sold
from dragoman.wire.chat import ChatCall

NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "n": "candidateCount",
}
"""Members that differ in their name only -> their name in `generationConfig`."""

_APART = (
    GATEWAY_ONLY
    | {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
    | {"reasoning", "reasoning_effort", "include_reasoning"}
    | {"tools", "tool_choice", "parallel_tool_calls"}
    | {"response_format", "modalities", "audio", "image_config"}
)
"""Members that are not taken one by one."""

_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority", "default": "standard"}
_INT32 = 2**31
_ZERO = Raw(b"0")

Headers = tuple[tuple[str, str], ...]
_FOR_JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
_FOR_STREAM: Headers = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_stops = msgspec.json.Decoder(str | list[str]).decode


def write_request(
    call: ChatCall, endpoint: Endpoint, provider: Provider, models: str, *, vertex: bool = False
) -> Outgoing:
    """Translate a call for an endpoint, noting every member that did not survive.

    `models` is the path that the model's name comes after. Raises InvalidRequest for what
    cannot be said.
    """
    draft = Draft(endpoint, provider, vertex=vertex)
    converse(draft, call.members.get("messages", Raw(b"[]")))
    equip(draft, call)
    _note_strangers(draft, call)
    _copy(draft, call)
    if call.max_tokens is not None:
        draft.config["maxOutputTokens"] = call.max_tokens
    think(draft, call)
    shape(draft, call)
    if draft.config:
        draft.body["generationConfig"] = draft.config
    _inject(draft)
    method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
    name = quote(endpoint.upstream.removeprefix("models/"), safe="@")
    headers = _FOR_STREAM if call.stream else _FOR_JSON
    if provider.headers:
        headers += tuple(provider.headers.items())
    return Outgoing(
        path=f"{models}/{name}:{method}",
        headers=headers,
        body=_encode(draft.body),
        notes=tuple(draft.notes),
    )


def _note_strangers(draft: Draft, call: ChatCall) -> None:
    tools = call.members["tools"] if call.tools else None
    for field in strangers(call.members["messages"], tools, KNOWN):
        draft.drop(field, "this provider's API has no such field")
    for field in strange_settings(call.members):
        draft.drop(field, "this provider's API has no such field")


def _copy(draft: Draft, call: ChatCall) -> None:
    for name, value in call.members.items():
        if name in _APART or name in call.not_applied or value == NULL:
            continue
        write = _WRITERS.get(name)
        if name not in NAMES and write is None:
            draft.drop(name, "this provider's API has no such field")
        elif draft.takes(name):
            if write is None:
                draft.config[NAMES[name]] = value
            else:
                write(draft, value)


def _inject(draft: Draft) -> None:
    """Add the members that the operator wants sent, such as `safetySettings`."""
    for name, value in additions(draft.provider.quirks):
        if name not in draft.body:
            draft.body[name] = value
            draft.note(Change.INJECTED, name, "this provider needs it")


def _stop(draft: Draft, value: Raw) -> None:
    stops = _stops(value)
    wanted = [stops] if isinstance(stops, str) else stops
    if wanted := [each for each in wanted if each]:
        draft.config["stopSequences"] = wanted


def _seed(draft: Draft, value: Raw) -> None:
    seed = _decode(value)
    if -_INT32 <= seed < _INT32:
        draft.config["seed"] = seed
    else:
        draft.drop("seed", "this provider takes seeds of 32 bits")


def _top_k(draft: Draft, value: Raw) -> None:
    if value == _ZERO:
        draft.drop("top_k", "0 means all, which is what this provider does without it")
    else:
        draft.config["topK"] = value


def _logprobs(draft: Draft, value: Raw) -> None:
    if value == Raw(b"true"):
        draft.config["responseLogprobs"] = True


def _top_logprobs(draft: Draft, value: Raw) -> None:
    if value != _ZERO:
        draft.config["logprobs"] = value


def _tier(draft: Draft, value: Raw) -> None:
    name: Any = _decode(value)
    if name in _TIERS and sold(name, draft.endpoint, draft.provider):
        draft.body["serviceTier"] = _TIERS[name]
    elif name != "auto":
        draft.drop("service_tier", NOT_SOLD)


def _cache(draft: Draft, _value: Raw) -> None:
    draft.drop("cache_control", "this provider keeps prompts by itself")


_WRITERS: Mapping[str, Callable[[Draft, Raw], None]] = {
    "stop": _stop,
    "seed": _seed,
    "top_k": _top_k,
    "logprobs": _logprobs,
    "top_logprobs": _top_logprobs,
    "service_tier": _tier,
    "cache_control": _cache,
}
