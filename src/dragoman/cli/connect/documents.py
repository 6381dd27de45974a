"""Settings in files that hold other things, too: set them, and put back what was there. Pure.

JSON is read, changed and written anew, in its order and with its indent; comments before it
stay, commas too many do not, and with comments inside it is refused. TOML and YAML are
changed by the line, so that comments stay; the result is then read again, and refused
unless it says what was there before with our settings and nothing else.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import yaml

from dragoman.cli.connect import lines
from dragoman.cli.connect.types import Kind, Setting

Path = tuple[str, ...]
MISSING: Final = object()
INDENT: Final = re.compile(r"\{\s*\n( +)\S")
PREFACE: Final = re.compile(r"(?:[ \t]*(?://.*)?\n)*")
"""Comments and empty lines before the first brace, as editors begin their settings with."""
SPARE_COMMA: Final = re.compile(r'("(?:\\.|[^"\\])*")|,(\s*[}\]])')


class DocumentError(Exception):
    """A file that cannot be changed without harm. The message says why."""


def parsed(kind: Kind, text: str) -> Any:
    """Return what a document says. Raises DocumentError where it is not of this kind."""
    if kind == "text":
        return text
    if not text.strip():
        return {}
    try:
        value = _READERS[kind](text)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        hint = " (comments?)" if kind == "json" else ""
        first = str(error).splitlines()[0]
        raise DocumentError(f"it cannot be read as {kind.upper()}{hint}: {first}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DocumentError("it holds no table")
    return value


def edited(kind: Kind, text: str, settings: Sequence[Setting]) -> str:
    """Return the document with the settings. Raises DocumentError where that cannot be done."""
    old = parsed(kind, text)
    wanted = old
    for setting in settings:
        wanted = _with(wanted, setting.path, setting.value)
    if wanted == old:
        return text
    return _checked(kind, _set(kind, text, settings, wanted), wanted)


def restored(kind: Kind, text: str, before: str, paths: Iterable[Path]) -> str:
    """Return the document with what `before` had at the paths, and all else as it is.

    Where nothing else was changed since, it is `before` to the letter. Raises DocumentError.
    """
    if kind == "text":
        return before
    old, wanted = parsed(kind, before), parsed(kind, text)
    for path in paths:
        value = at(old, path)
        wanted = _without(wanted, path, old) if value is MISSING else _with(wanted, path, value)
    if wanted == old:
        return before
    if kind == "json":
        return _json(text, wanted)
    edit = lines.restore_toml if kind == "toml" else lines.restore_yaml
    return _checked(kind, edit(text, before, tuple(paths)), wanted)


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path, MISSING where nothing does."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def _set(kind: Kind, text: str, settings: Sequence[Setting], wanted: Any) -> str:
    match kind:
        case "json":
            return _json(text, wanted)
        case "text":
            return str(settings[0].value)
        case "toml":
            return lines.set_toml(text, settings)
        case "yaml":
            return lines.set_yaml(text, settings)


def _checked(kind: Kind, text: str, wanted: Any) -> str:
    """Return the text if it says what is wanted."""
    try:
        right = parsed(kind, text) == wanted
    except DocumentError:
        right = False
    if not right:
        raise DocumentError("it is written in a way that cannot be changed by the line")
    return text


def _json(text: str, value: Any) -> str:
    preface, body = _divided(text)
    found = INDENT.match(body)
    indent = len(found[1]) if found else 2
    new = msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()
    return f"{preface}{new}\n"


def _read_json(text: str) -> Any:
    _, body = _divided(text)
    return msgspec.json.decode(SPARE_COMMA.sub(lambda it: it[1] or it[2], body)) if body else {}


def _divided(text: str) -> tuple[str, str]:
    """Return what stands before a JSON document, and the document."""
    found = PREFACE.match(text)
    end = found.end() if found else 0
    return text[:end], text[end:]


def _with(value: Any, path: Path, wanted: Any) -> Any:
    """Return a copy of `value` that has `wanted` at the path."""
    if not path:
        return wanted
    inner = value.get(path[0], {}) if isinstance(value, dict) else None
    if inner is None or not isinstance(value, dict):
        raise DocumentError(f"{path[0]} has no place in it")
    return {**value, path[0]: _with(inner, path[1:], wanted)}


def _without(value: Any, path: Path, old: Any) -> Any:
    """Return a copy without the path, and without tables that are empty now and not in `old`."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: each for name, each in value.items() if name != path[0]}
    if len(path) == 1:
        return rest
    inner = _without(value[path[0]], path[1:], at(old, path[:1]))
    had = at(old, path[:1]) is not MISSING
    return {**value, path[0]: inner} if inner or had else rest


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "json": _read_json,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}
