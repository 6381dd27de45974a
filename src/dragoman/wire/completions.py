"""The legacy text completions of OpenAI's API, as a client dialect: a prompt in, text out.

A prompt is asked as a user's one message, so that every model can answer it, and what the
hub says in return is written as `text_completion` (OpenAI API reference, "Completions";
OpenRouter, api_reference/overview: a choice has `text` in place of `message`). What a chat
cannot do for a prompt (to fill a gap before `suffix`, to complete several prompts) is refused.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct, inspect, structs

from dragoman.core.errors import GatewayError, InvalidPrompt, InvalidRequest
from dragoman.wire.answers import encode, usage_body
from dragoman.wire.chat import ChatCall, parse_members
from dragoman.wire.chat_dialect import refusal_body
from dragoman.wire.completion_answers import CompletionWriter, choice_body, echoed, head
from dragoman.wire.dialect import EventWriter, Spent, Told
from dragoman.wire.explain import explain
from dragoman.wire.hub import Answer, Members, Native
from dragoman.wire.json import TOO_DEEP, members

INSTEAD: Final = frozenset({"messages", "tools", "tool_choice", "modalities", "audio"})
"""Members whose answer has no place in a text completion."""

_OWN = frozenset({"prompt", "suffix", "echo", "best_of", "logprobs"})
_NULL = Raw(b"null")

Alternatives = Annotated[int, Meta(ge=0, le=20)]


class _Fields(Struct, frozen=True, kw_only=True, gc=False):
    """The members that chat does not have, or has in another shape."""

    prompt: str | list[str | int | list[int]] | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    n: int | None = None
    logprobs: bool | Alternatives | None = None


class _Message(Struct, gc=False):
    role: str
    content: str


_SHAPE = inspect.type_info(_Fields)
_decode = msgspec.json.Decoder(_Fields).decode


class CompletionsDialect:
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = "completions"
    one_choice = False

    def parse(self, body: bytes, _headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest or InvalidPrompt."""
        found = members(body)
        fields = _fields(body)
        if used := sorted(name for name in INSTEAD & found.keys() if found[name] != _NULL):
            message = f"{used[0]}: is not accepted here; send 'prompt', or ask /chat/completions"
            raise InvalidRequest(message)
        call = parse_members(_as_chat(found, _prompt(fields), fields))
        idle = call.not_applied
        if fields.best_of is not None and fields.best_of > (fields.n or 1):
            idle = (*idle, "best_of")
        native = Native(dialect=self.name, members=found)
        return structs.replace(call, native=native, not_applied=idle)

    def writer(self, told: Told) -> EventWriter:
        """Return what writes the events of one stream."""
        return CompletionWriter(told.stamp, echoed(told.call))

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return a whole `text_completion`."""
        before = echoed(told.call)
        choices = b",".join(choice_body(choice, before) for choice in answer.choices)
        return b'%b,"system_fingerprint":%b,"choices":[%b],"usage":%b%b}' % (
            head(told.stamp),
            encode(answer.system_fingerprint),
            choices,
            usage_body(spent.usage, spent.billing),
            routing,
        )

    def refusal(self, error: GatewayError, _told: Told | None) -> tuple[int, bytes]:
        """Return status and body for a request that failed before its answer began."""
        return error.code, refusal_body(error)


COMPLETIONS: Final = CompletionsDialect()


def _fields(body: bytes) -> _Fields:
    """Decode the members that are not chat's, or say which has another shape."""
    try:
        return _decode(body)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
    if path.partition(".")[0] == "prompt":
        raise InvalidPrompt("prompt: must be a string") from None
    raise InvalidRequest(f"{path}: {reason}")


def _prompt(fields: _Fields) -> str:
    """Return the one prompt of a request. Raises InvalidRequest or InvalidPrompt."""
    prompt = fields.prompt
    if prompt is None:
        raise InvalidPrompt("prompt: is required")
    if fields.suffix:
        raise InvalidRequest("suffix: is not supported; ask for the gap in the words of a prompt")
    if isinstance(prompt, str):
        return prompt
    if any(not isinstance(each, str) for each in prompt):
        raise InvalidPrompt("prompt: tokens are not accepted; send the prompt as text")
    if len(prompt) != 1:
        raise InvalidPrompt("prompt: must be one prompt; send each in a request of its own")
    return str(prompt[0])


def _as_chat(found: Members, prompt: str, fields: _Fields) -> Members:
    """Return the members of the chat request that asks the same."""
    chat = {name: value for name, value in found.items() if name not in _OWN | INSTEAD}
    chat["messages"] = Raw(encode([_Message("user", prompt)]))
    wanted = fields.logprobs
    if wanted is None or wanted is False:
        return chat
    chat["logprobs"] = Raw(b"true")
    if wanted is not True and wanted:
        chat["top_logprobs"] = Raw(b"%d" % wanted)
    return chat
