"""Puts a call into the words of Converse, noting every member that did not survive.

What Converse has for all models stands at the top and in `inferenceConfig`; what only the model
knows in `additionalModelRequestFields`. A caller may send members of Converse's own beside those
of the hub (`guardrailConfig`, `performanceConfig`, …): they are passed on.

Source: Bedrock Runtime API reference, `Converse`, `ConverseStream`.
"""

import urllib.parse
from typing import Any

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change
from dragoman.providers.anthropic import thinking
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.anthropic.draft import encode
from dragoman.providers.anthropic.schema import ask_for_json, instruction
from dragoman.providers.anthropic.thinking import decide
from dragoman.providers.bedrock.content import text_block
from dragoman.providers.bedrock.draft import Draft
from dragoman.providers.bedrock.messages import Conversation
from dragoman.providers.bedrock.reasons import ask_for_reasoning
from dragoman.providers.bedrock.tools import NAMES as TOOLS
from dragoman.providers.bedrock.tools import offer_tools
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.request import GATEWAY_ONLY
from dragoman.providers.strangers import unspoken
from dragoman.providers.tiers import NOT_SOLD
from dragoman.wire.chat import ChatCall
from dragoman.wire.features import NEUTRAL
from dragoman.wire.hub import Members

Headers = tuple[tuple[str, str], ...]

FOR_JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
FOR_STREAM: Headers = (
    ("Content-Type", "application/json"),
    ("Accept", "application/vnd.amazon.eventstream"),
)

OWN_FIELDS = "additionalModelRequestFields"
_OF_CONVERSE = frozenset({
    "guardrailConfig", "performanceConfig", "requestMetadata", "promptVariables",
})  # fmt: skip
_SPOKEN = (
    GATEWAY_ONLY
    | TOOLS
    | thinking.NAMES
    | _OF_CONVERSE
    | {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
    | {"temperature", "top_p", "top_k", "stop", "response_format", "cache_control"}
    | {"service_tier", OWN_FIELDS}
)
"""Members that are put into other words here, or have no business upstream."""
_ASK_NOTHING: dict[str, Any] = {**NEUTRAL, "n": 1, "modalities": ["text"], "store": False}
_SAMPLING = {"temperature": "temperature", "top_p": "topP", "top_k": "top_k"}

_number = msgspec.json.Decoder(float).decode
_object = msgspec.json.Decoder(dict[str, object]).decode
_stops = msgspec.json.Decoder(str | list[str] | None).decode
_encode = msgspec.json.Encoder().encode
_wanted = msgspec.json.Decoder(dict[str, Any]).decode


def write_request(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call for an endpoint.

    Raises InvalidRequest, naming field and provider, for what cannot be said at all.
    """
    draft = Draft(endpoint, provider)
    _translate(draft, call)
    draft.finish()
    verb = "converse-stream" if call.stream else "converse"
    headers = FOR_STREAM if call.stream else FOR_JSON
    return Outgoing(
        path=f"/model/{urllib.parse.quote(endpoint.upstream, safe='')}/{verb}",
        headers=headers + tuple(provider.headers.items()),
        body=encode(draft.body),
        notes=draft.notes,
    )


def _translate(draft: Draft, call: ChatCall) -> None:
    members, body = call.members, draft.body
    said = Conversation(members["messages"], draft)
    told = instruction(draft, call)
    if told is not None:
        said.system.append(text_block(Raw(_encode(told))))
    body["messages"] = NULL  # keeps its place before what is found out about it
    forced = offer_tools(draft, call, said)
    _configure(draft, call, said, forced=forced)
    marker = members.get("cache_control", NULL)
    if marker != NULL:
        said.mark_end(marker)
        draft.note(Change.RENAMED, "cache_control", "sent as a mark at the end of the conversation")
    body["messages"] = [turn.json() for turn in said.turns]
    if said.system:
        body["system"] = Raw(b"[%b]" % b",".join(said.system))
    for name in sorted(_OF_CONVERSE & members.keys()):
        if members[name] != NULL:
            body[name] = members[name]
    tier = members.get("service_tier", NULL)
    if tier == Raw(b'"default"'):
        body["serviceTier"] = {"type": "default"}
    elif tier != NULL and tier != Raw(b'"auto"'):
        draft.dropped("service_tier", NOT_SOLD)
    _add_own(draft, members.get(OWN_FIELDS, NULL))
    for field in unspoken(call, _SPOKEN, _ASK_NOTHING):
        draft.dropped(field, "this provider's API has no such field")


def _configure(draft: Draft, call: ChatCall, said: Conversation, *, forced: bool) -> None:
    """Put limit, samples, stops, reasoning and the form of the answer into the draft."""
    config: dict[str, object] = {}
    output: dict[str, object] = {}
    thinks, samples = False, True
    if draft.family.reasons == "claude":
        chosen = decide(draft, call, draft.endpoint, said, forced=forced)
        config["maxTokens"] = chosen.max_tokens
        thinks = chosen.on
        if chosen.config is not None:
            draft.own["thinking"] = chosen.config
        if chosen.effort is not None:
            output["effort"] = chosen.effort
    else:
        if call.max_tokens is not None:
            config["maxTokens"] = call.max_tokens
        samples = ask_for_reasoning(draft, call, config)
    _sample(draft, call.members, config, thinks=thinks, samples=samples)
    _stop(draft, call.members.get("stop", NULL), config)
    form = _form(draft, call)
    if form is not None:
        output["textFormat"] = form
    if config:
        draft.body["inferenceConfig"] = config
    if output:
        draft.body["outputConfig"] = output


def _form(draft: Draft, call: ChatCall) -> dict[str, object] | None:
    """Return what binds the answer to a schema, which is a text here."""
    asked = ask_for_json(draft, call)
    if asked is None:
        return None
    wanted = _wanted(call.members["response_format"])["json_schema"]
    schema: dict[str, object] = {"schema": _encode(_wanted(asked)["schema"]).decode()}
    for name in ("name", "description"):
        if isinstance(wanted.get(name), str) and wanted[name]:
            schema[name] = wanted[name]
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _sample(
    draft: Draft, members: Members, config: dict[str, object], *, thinks: bool, samples: bool
) -> None:
    """Send temperature, top_p and top_k, as far as the model takes them as things are."""
    for name, here in _SAMPLING.items():
        value = members.get(name, NULL)
        if value == NULL or _number(value) == NEUTRAL[name]:
            continue
        obstacle = _against(draft, name, config, thinks=thinks)
        if obstacle is None and not samples:
            obstacle = "it does not go together with so much reasoning"
        if obstacle is not None:
            draft.dropped(name, obstacle)
        elif name == "top_k":
            _put(draft.own, draft.family.top_k, value)
        elif _number(value) > 1:
            config[here] = 1
            draft.note(Change.CLAMPED, name, "sent as 1, the most")
        else:
            config[here] = value


def _against(draft: Draft, name: str, config: dict[str, object], *, thinks: bool) -> str | None:
    """Say why one of them is not sent, None if it is."""
    if not draft.takes.samples:
        return "this model takes no sampling parameters"
    if name == "top_k" and not draft.family.top_k:
        return "this model has no such field here"
    if name != "top_k" and not draft.supports(name):
        return "this endpoint does not support it"
    if thinks:
        return "it does not go together with reasoning"
    takes = draft.takes
    if name == "top_p" and "temperature" in config and takes.known and not takes.samples_twice:
        return "this model takes temperature or top_p, not both"
    return None


def _put(own: dict[str, object], path: tuple[str, ...], value: Raw) -> None:
    """Put a value where it stands among the model's own members."""
    *outer, last = path
    for name in outer:
        inner = own.setdefault(name, {})
        if isinstance(inner, dict):
            own = inner
    own[last] = value


def _stop(draft: Draft, value: Raw, config: dict[str, object]) -> None:
    said = _stops(value) or []
    wanted = [said] if isinstance(said, str) else said
    if not wanted:
        return
    if not draft.supports("stop"):
        draft.dropped("stop", "this endpoint does not support it")
        return
    claude = draft.family.reasons == "claude"
    kept = [each for each in wanted if each and (each.strip() or not claude)]
    if len(kept) < len(wanted):
        draft.dropped("stop", "a sequence of white space, which this provider refuses")
    if kept:
        config["stopSequences"] = kept


def _add_own(draft: Draft, given: Raw) -> None:
    """Put what only the model knows into the body; what is decided here wins over the caller's."""
    own = draft.own
    if given != NULL:
        try:
            own = {**_object(given), **own}
        except msgspec.ValidationError:
            draft.dropped(OWN_FIELDS, "it is no object")
    if own:
        draft.body[OWN_FIELDS] = own
