"""The content of messages and of what tools put out: parts of the Responses API to the hub's.

Source: `openai.types.responses.response_input_content_param`, and OpenRouter's `InputVideo`.
"""

import msgspec
from msgspec import Raw, Struct, inspect

from dragoman.core.errors import InvalidPrompt
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members
from dragoman.wire.responses.raw import EMPTY, is_list, is_object, is_string, says, strangers

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
KINDS = ("input_text", "input_image", "input_file", "input_audio", "input_video", "output_text")

_MARKS = ("cache_control", "prompt_cache_breakpoint")
"""Members by which a part says what a provider is to keep; both are the hub's, too."""


class Part(Struct, frozen=True, gc=False):
    """A part of a content."""

    type: str
    text: Raw = Raw()
    refusal: Raw = Raw()
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: Raw = Raw()
    video_url: str | None = None
    annotations: Raw = Raw()
    logprobs: Raw = Raw()
    cache_control: Raw = Raw()
    prompt_cache_breakpoint: Raw = Raw()


class _Exact(Part, frozen=True, gc=False, forbid_unknown_fields=True):
    """A part that has nothing else: nearly all are."""


Parts = list[Part]

_SHAPE = inspect.type_info(Parts)
_decode = msgspec.json.Decoder(Parts).decode
_exact = msgspec.json.Decoder(list[_Exact]).decode
_rows = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode


def read_parts(content: Raw, path: str, lost: list[str]) -> Parts:
    """Return the parts of a content that is a list; what nobody knows is named in `lost`.

    Raises InvalidPrompt.
    """
    if not is_list(content):
        raise InvalidPrompt(f"{path}: must be a string or an array")
    try:
        return [*_exact(content)]
    except msgspec.ValidationError:
        parts = _lenient(content, path)
    for row in _rows(content):
        lost += strangers(row, Part, "input.content")
    return parts


def _lenient(content: Raw, path: str) -> Parts:
    try:
        return _decode(content)
    except msgspec.ValidationError as error:
        inner, reason = explain(error, _SHAPE)
        where = f"{path}.{inner}" if inner else path
        raise InvalidPrompt(f"{where}: {reason}") from None


def content_of(content: Raw, path: str, lost: list[str]) -> Raw:
    """Return a content in the hub's form: text if it is one, else parts. Raises InvalidPrompt."""
    if is_string(content):
        return content
    parts = read_parts(content, path, lost)
    if len(parts) == 1 and parts[0].type in TEXTS and not _marked(parts[0]):
        return string(parts[0].text, f"{path}.0.text")
    return Raw(_encode([_part(part, f"{path}.{n}") for n, part in enumerate(parts)]))


def said(content: Raw, path: str, lost: list[str]) -> tuple[Raw | None, Raw | None]:
    """Return the text and the refusal of what an assistant said. Raises InvalidPrompt."""
    if is_string(content):
        return content, None
    texts, refusals = [], []
    for n, part in enumerate(read_parts(content, path, lost)):
        if is_list(part.annotations) and part.annotations != EMPTY:
            lost.append("input.content.annotations")
        if part.type == "refusal":
            refusals.append(string(part.refusal, f"{path}.{n}.refusal"))
        elif part.type in TEXTS:
            texts.append(string(part.text, f"{path}.{n}.text"))
        else:
            raise _unknown(f"{path}.{n}", ("output_text", "refusal"))
    return joined(texts), joined(refusals)


def joined(strings: list[Raw]) -> Raw | None:
    """Return JSON strings as one, None if there are none."""
    if len(strings) <= 1:
        return strings[0] if strings else None
    return Raw(b'"%b"' % b"".join([bytes(each)[1:-1] for each in strings]))


def string(value: Raw, path: str) -> Raw:
    """Return a value that must be a string. Raises InvalidPrompt."""
    if not is_string(value):
        raise InvalidPrompt(f"{path}: must be a string" if value else f"{path}: is required")
    return value


def _part(part: Part, path: str) -> Members:
    """Return a part in the hub's form. Raises InvalidPrompt."""
    found = _told(part, path)
    for name in _MARKS:
        mark: Raw = getattr(part, name)
        if says(mark):
            found[name] = mark
    return found


def _told(part: Part, path: str) -> Members:
    if part.type in TEXTS:
        return {"type": Raw(b'"text"'), "text": string(part.text, f"{path}.text")}
    if part.type == "refusal":
        return {"type": Raw(b'"refusal"'), "refusal": string(part.refusal, f"{path}.refusal")}
    if part.type == "input_image":
        return _image(part, path)
    if part.type == "input_file":
        return _file(part, path)
    if part.type == "input_audio":
        if not is_object(part.input_audio):
            raise InvalidPrompt(f"{path}.input_audio: must be an object")
        return {"type": Raw(b'"input_audio"'), "input_audio": part.input_audio}
    if part.type == "input_video":
        if not part.video_url:
            raise InvalidPrompt(f"{path}.video_url: is required")
        return {
            "type": Raw(b'"video_url"'),
            "video_url": Raw(_encode({"url": part.video_url})),
        }
    raise _unknown(path, KINDS)


def _image(part: Part, path: str) -> Members:
    if not part.image_url:
        if not part.file_id:
            raise InvalidPrompt(f"{path}: needs 'image_url' or 'file_id'")
        return {"type": Raw(b'"file"'), "file": Raw(_encode({"file_id": part.file_id}))}
    image = {"url": part.image_url}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": Raw(b'"image_url"'), "image_url": Raw(_encode(image))}


def _file(part: Part, path: str) -> Members:
    data = part.file_data or part.file_url
    if not data and not part.file_id:
        raise InvalidPrompt(f"{path}: needs 'file_data' or 'file_url'")
    file = {"filename": part.filename, "file_data": data, "file_id": part.file_id}
    given = {name: value for name, value in file.items() if value is not None}
    return {"type": Raw(b'"file"'), "file": Raw(_encode(given))}


def _marked(part: Part) -> bool:
    return any(getattr(part, name) for name in _MARKS)


def _unknown(path: str, kinds: tuple[str, ...]) -> InvalidPrompt:
    """Return the refusal of a kind of part that nobody knows."""
    expected = "|".join(f'"{kind}"' for kind in kinds)
    return InvalidPrompt(f"{path}.type: Invalid option: expected one of {expected}")
