"""Reads a request of the Responses API into a call in the hub's form.

Nothing is kept between requests, as at OpenRouter: what leans on an earlier response is refused.
Members that the hub has no room for reach providers of the same API as they are, and are named
for all others (`Native.notes`).
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, inspect

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.wire import rules
from dragoman.wire.chat import ChatCall, parse_members
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members, Native
from dragoman.wire.json import TOO_DEEP, members, object_members
from dragoman.wire.order import TEXT_FIRST
from dragoman.wire.responses.calls import Named
from dragoman.wire.responses.fields import (
    SHARED,
    UNTOLD,
    JsonFormat,
    ResponsesFields,
    SchemaFormat,
    TextConfig,
    ToolChoice,
)
from dragoman.wire.responses.items import BRING_TOOLS, MOVED, Conversation, Item, read_items
from dragoman.wire.responses.raw import NULL, is_object, says, strangers
from dragoman.wire.responses.toolbox import CLIENT_RUN, Toolbox
from dragoman.wire.tools import SERVER_TOOL_PREFIXES

NAME = "responses"

NO_ROOM = "only providers of the Responses API have it"

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"

TOLD = (b"openai-beta", b"originator")
"""Headers that mean something: features that are asked for, and which program asks."""

_UNDERSTOOD = frozenset({LOGPROBS, ENCRYPTED})
_WISHES = frozenset({"effort", "summary", "max_tokens", "enabled", "context", "mode"})
"""Members of `reasoning` that are the hub's, too (OpenRouter, `ReasoningConfig`)."""

SOUND = b'"audio"'

_TRUE = Raw(b"true")
_SHAPE = inspect.type_info(ResponsesFields)
_decode = msgspec.json.Decoder(ResponsesFields).decode
_encode = msgspec.json.Encoder().encode
_texts = msgspec.json.Decoder(list[str]).decode


def parse_responses(body: bytes, headers: Mapping[bytes, bytes]) -> ChatCall:
    """Read and check the body of a request. Raises InvalidRequest or InvalidPrompt."""
    found = members(body)
    fields = _fields(body)
    _check(fields, found)
    try:
        hub, lost, needs = _translated(fields, found)
        silent = _silenced(hub)
        call = parse_members(hub)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    held = [name for name in call.not_applied if _is_native(name)]
    lost += held
    native = Native(
        dialect=NAME,
        members=found,
        headers=tuple(
            (name.decode(), headers[name].decode("latin-1")) for name in TOLD if name in headers
        ),
        notes=(*(_note(name) for name in dict.fromkeys(lost)), *silent),
        needs=needs,
    )
    idle = tuple(name for name in call.not_applied if name not in held)
    return msgspec.structs.replace(call, native=native, not_applied=idle)


def _note(name: str) -> Note:
    if name == MOVED:
        return Note(Change.RENAMED, name, TEXT_FIRST)
    return Note(Change.DROPPED, name, NO_ROOM)


def _silenced(hub: Members) -> tuple[Note, ...]:
    """Ask for no sound, which has no place in an answer of this API; say so if it was asked for."""
    asked = hub.get("modalities", NULL)
    if bytes(asked).find(SOUND) < 0:
        return ()
    try:
        kept = [each for each in _texts(asked) if each != "audio"]
    except msgspec.ValidationError:
        return ()
    hub["modalities"] = Raw(_encode(kept or ["text"]))
    detail = "an answer of the Responses API has no place for sound: ask for it by chat completions"
    return (Note(Change.DROPPED, "modalities.audio", detail),)


def _is_native(name: str) -> bool:
    """Whether a field that has no effect here has one at providers of the same API."""
    return name in {"max_tool_calls", "tool_choice"} or name.startswith("tools.web_search")


def toolbox_of(tools: list[Raw] | None, items: list[Item]) -> Toolbox:
    """Return the tools of a request, and of the items that bring some. Raises InvalidRequest."""
    box = Toolbox()
    box.add(tools or (), "tools")
    for place, item in enumerate(items):
        if item.type in BRING_TOOLS:
            box.add(item.tools or (), f"input.{place}.tools")
    return box


def _fields(body: bytes) -> ResponsesFields:
    try:
        return _decode(body)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
    raise InvalidRequest(f"{path}: {reason}")


def _check(fields: ResponsesFields, found: Members) -> None:
    """Raise InvalidRequest for what needs something to be kept, and for names never accepted."""
    if fields.store:
        raise InvalidRequest("store: must be false; responses are not kept")
    for name in ("previous_response_id", "conversation", "prompt"):
        if getattr(fields, name) is not None:
            raise InvalidRequest(f"{name}: is not accepted; nothing is kept, send all of 'input'")
    if fields.background:
        raise InvalidRequest("background: must be false; responses are not kept")
    rules.check_names({name: value for name, value in found.items() if name != "prompt"})


def _translated(fields: ResponsesFields, found: Members) -> tuple[Members, list[str], str | None]:
    """Return the members in the hub's form, names of what is lost, and what needs the same API."""
    if not says(fields.input):
        raise InvalidRequest("input: is required")
    unknown: list[str] = []
    items = read_items(fields.input, unknown)
    box = toolbox_of(fields.tools, items)
    talk = Conversation(box)
    if fields.instructions:
        talk.system(fields.instructions)
    for place, item in enumerate(items):
        talk.add(item, f"input.{place}")
    messages = talk.end()
    if not messages:
        raise InvalidPrompt("input: must not be empty")
    lost = [name for name in found if name not in SHARED and name not in UNTOLD]
    lost += [*box.lost, *unknown, *talk.lost]
    hub = {name: value for name, value in found.items() if name in SHARED}
    hub["messages"] = Raw(_encode(messages))
    _tell_tools(hub, fields, box, lost)
    _tell_text(hub, fields, lost)
    lost += _strange_settings(fields, found)
    _tell_reasoning(hub, found, lost)
    if fields.max_output_tokens is not None:
        hub["max_tokens"] = found["max_output_tokens"]
    if fields.safety_identifier is not None and hub.get("user", NULL) == NULL:
        hub["user"] = found["safety_identifier"]
    if fields.truncation == "auto":
        lost.append("truncation")
    return hub, lost, talk.needs


def _tell_tools(hub: Members, fields: ResponsesFields, box: Toolbox, lost: list[str]) -> None:
    choice, functions = fields.tool_choice, dict(box.functions)
    told: str | dict[str, object] | None = choice if isinstance(choice, str) else None
    if isinstance(choice, ToolChoice):
        told = _choice(choice, functions, box, lost)
    tools = [*functions.values(), *box.served]
    if tools:
        hub["tools"] = Raw(_encode(tools))
    if told is not None and (tools or told != "required"):
        hub["tool_choice"] = Raw(_encode(told))
    elif told is not None:
        lost.append("tool_choice")
    if not tools:
        hub.pop("parallel_tool_calls", None)


def _choice(
    choice: ToolChoice, functions: dict[str, Members], box: Toolbox, lost: list[str]
) -> str | dict[str, object] | None:
    """Return the hub's word for a choice. Of `functions` those that may not be called are taken."""
    if choice.type == "allowed_tools":
        allowed = {_function_of(each, box) for each in choice.tools or ()}
        for name in [name for name in functions if name not in allowed]:
            del functions[name]
        return choice.mode
    if choice.type.startswith(SERVER_TOOL_PREFIXES):
        return {"type": choice.type}
    chosen = _function_of(choice, box)
    if chosen is None:
        lost.append("tool_choice")
        return None
    if chosen not in functions:
        raise InvalidRequest("tool_choice.name: is not the name of one of 'tools'")
    return {"type": "function", "function": {"name": chosen}}


def _function_of(choice: ToolChoice, box: Toolbox) -> str | None:
    """Return the name of the function that stands for a chosen tool, None if none does."""
    kind = CLIENT_RUN.get(choice.type)
    if kind is None:
        return None
    return box.name(Named(kind, choice.name or kind, choice.namespace))


def _tell_text(hub: Members, fields: ResponsesFields, lost: list[str]) -> None:
    config = fields.text or TextConfig()
    if config.verbosity is not None:
        hub["verbosity"] = Raw(_encode(config.verbosity))
    form = config.format
    if isinstance(form, JsonFormat):
        hub["response_format"] = Raw(b'{"type":"json_object"}')
    elif isinstance(form, SchemaFormat):
        if not is_object(form.schema):
            raise InvalidRequest("text.format.schema: must be an object")
        shape = {
            "name": form.name,
            "schema": form.schema,
            "strict": form.strict,
            "description": form.description,
        }
        given = {name: value for name, value in shape.items() if value is not None}
        hub["response_format"] = Raw(_encode({"type": "json_schema", "json_schema": given}))
    include = fields.include or ()
    if LOGPROBS in include or fields.top_logprobs:
        hub["logprobs"] = _TRUE
        if fields.top_logprobs:
            hub["top_logprobs"] = Raw(b"%d" % fields.top_logprobs)
    lost += [f"include.{each}" for each in include if each not in _UNDERSTOOD]


def _strange_settings(fields: ResponsesFields, found: Members) -> Iterator[str]:
    """Yield where `text` and `tool_choice` say what nobody here knows."""
    if fields.text is not None:
        text = object_members(found["text"], "text") or {}
        yield from strangers(text, TextConfig, "text")
        if fields.text.format is not None:
            form = object_members(text["format"], "text.format") or {}
            form.pop("type", None)
            yield from strangers(form, type(fields.text.format), "text.format")
    if isinstance(fields.tool_choice, ToolChoice):
        choice = object_members(found["tool_choice"], "tool_choice") or {}
        yield from strangers(choice, ToolChoice, "tool_choice")


def _tell_reasoning(hub: Members, found: Members, lost: list[str]) -> None:
    wish = object_members(found["reasoning"], "reasoning") if "reasoning" in found else None
    if wish is None:
        return
    if "generate_summary" in wish:  # its name before `summary` (OpenAI, deprecated)
        wish.setdefault("summary", wish.pop("generate_summary"))
    told = {name: value for name, value in wish.items() if name in _WISHES}
    lost += [f"reasoning.{name}" for name in wish if name not in _WISHES]
    if told:
        hub["reasoning"] = Raw(_encode(told))
