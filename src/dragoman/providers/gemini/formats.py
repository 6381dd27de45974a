"""What form an answer is to have: text or JSON, of which schema, and what comes beside text.

A schema goes out as it came, as `responseJsonSchema` (ai.google.dev/gemini-api/docs/
structured-output). Models that take no format beside tools are told it as an instruction.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.core.notes import Change
from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.values import ABSENT, NULL, given
from dragoman.wire.chat import ChatCall

JSON = "application/json"


class _Schema(Struct, gc=False):
    schema: Raw = ABSENT
    description: str | None = None


class _Format(Struct, gc=False):
    type: str
    json_schema: _Schema | None = None


class _Audio(Struct, gc=False):
    format: str
    voice: str | dict[str, Any] = ""


class _ImageConfig(Struct, gc=False):
    aspect_ratio: Raw = ABSENT
    image_size: Raw = ABSENT


_format = msgspec.json.Decoder(_Format).decode
_audio = msgspec.json.Decoder(_Audio).decode
_image = msgspec.json.Decoder(_ImageConfig).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_modalities = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


def shape(draft: Draft, call: ChatCall) -> None:
    """Put the form of the answer into the draft."""
    members = call.members
    for name, write in (
        ("response_format", _respond),
        ("modalities", _mix),
        ("audio", _speak),
        ("image_config", _paint),
    ):
        value = members.get(name, NULL)
        if value != NULL and draft.takes(name):
            write(draft, value)


def _respond(draft: Draft, value: Raw) -> None:
    wanted = _format(value)
    if wanted.type == "text":
        return
    if wanted.type not in {"json_object", "json_schema"}:
        draft.drop("response_format", f"this provider's API has no format {wanted.type}")
        return
    schema = wanted.json_schema.schema if wanted.json_schema else ABSENT
    if "tools" in draft.body and not draft.family.mixes:
        _instruct(draft, wanted.json_schema or _Schema())
        return
    draft.config["responseMimeType"] = JSON
    if given(schema):
        draft.config["responseJsonSchema"] = schema
    if wanted.json_schema and wanted.json_schema.description:
        detail = "no place for it here: put it into the schema"
        draft.drop("response_format.json_schema.description", detail)


def _instruct(draft: Draft, wanted: _Schema) -> None:
    text = "Unless you call a function, answer with a JSON object and nothing else."
    if wanted.description:
        text += f" It is this: {wanted.description}"
    if given(wanted.schema):
        text += f" It must fit this JSON Schema: {bytes(wanted.schema).decode()}"
    system = draft.body.setdefault("systemInstruction", {"parts": []})
    system["parts"] = [*system["parts"], {"text": text}]
    draft.note(
        Change.RENAMED,
        "response_format",
        "sent as an instruction: this model takes no format beside tools",
    )


def _mix(draft: Draft, value: Raw) -> None:
    wanted = _modalities(value)
    if wanted and wanted != ["text"]:
        draft.config["responseModalities"] = [each.upper() for each in wanted]


def _speak(draft: Draft, value: Raw) -> None:
    wanted = _audio(value)
    if wanted.format != "pcm16":
        draft.drop("audio.format", "this provider speaks PCM of 16 bits only")
    if isinstance(wanted.voice, str) and wanted.voice:
        voice = {"prebuiltVoiceConfig": {"voiceName": wanted.voice}}
        draft.config["speechConfig"] = {"voiceConfig": voice}
    else:
        draft.drop("audio.voice", "this provider has voices with names only")


def _paint(draft: Draft, value: Raw) -> None:
    wanted = _image(value)
    config: dict[str, Raw] = {}
    if given(wanted.aspect_ratio):
        config["aspectRatio"] = wanted.aspect_ratio
    if given(wanted.image_size):
        config["imageSize"] = wanted.image_size
    for name in _members(value).keys() - {"aspect_ratio", "image_size"}:
        draft.drop(f"image_config.{name}", "this provider's API has no such field")
    if config:
        draft.config["imageConfig"] = config
