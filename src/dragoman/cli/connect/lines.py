"""TOML and YAML changed by the line. Pure, and no judge of the result: `documents` reads it again.

Of TOML, keys before the first table and whole tables can be set; of YAML, keys of the first
level with a value on their line, and anything in a file that is empty.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import yaml

from dragoman.cli.connect.types import Setting

Path = tuple[str, ...]
HEADER: Final = re.compile(r"^\s*\[+[^\[\]]+\]+\s*(#.*)?$")
BARE: Final = re.compile(r"^[A-Za-z0-9_-]+$")


def set_toml(text: str, settings: Sequence[Setting]) -> str:
    """Return the document with the settings."""
    for setting in settings:
        if isinstance(setting.value, dict):
            text = _joined(_without_table(text, setting.path), _table(setting.path, setting.value))
        else:
            text = _keyed(text, setting.path, f"{_name(setting.path)} = {_scalar(setting.value)}")
    return text


def restore_toml(text: str, before: str, paths: Sequence[Path]) -> str:
    """Return the document with the lines that `before` has for the paths."""
    old = tomllib.loads(before)
    for path in paths:
        table = _table_of(before, path)
        if table:
            text = _joined(_without_table(text, path), table)
        elif len(path) == 1 and path[0] in old:
            text = _keyed(text, path, _line_of(before, path) or "")
        else:
            text = _keyed(_without_table(text, path), path, None)
    return text


def set_yaml(text: str, settings: Sequence[Setting]) -> str:
    """Return the document with the settings."""
    whole: dict[str, Any] = {setting.path[0]: setting.value for setting in settings}
    if not text.strip():
        return _yaml(whole)
    for name, value in whole.items():
        text = _yaml_keyed(text, name, _yaml({name: value}))
    return text


def restore_yaml(text: str, before: str, paths: Sequence[Path]) -> str:
    """Return the document with the lines that `before` has for the paths."""
    for path in paths:
        found = _yaml_line(path[0]).search(before)
        text = _yaml_keyed(text, path[0], found[0] if found else "")
    return text


def _sections(text: str) -> Iterator[tuple[Path, str]]:
    """Yield each table's path and text, its header included; first what is before any table."""
    path: Path = ()
    gathered: list[str] = []
    for line in text.splitlines(keepends=True):
        if HEADER.match(line) and (header := _header(line)):
            yield path, "".join(gathered)
            path, gathered = header, []
        gathered.append(line)
    yield path, "".join(gathered)


def _header(line: str) -> Path:
    """Return the path that a header names, none for a line that only looks like one."""
    try:
        value = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while value:
        name, inner = next(iter(value.items()))
        path.append(name)
        value = inner[0] if isinstance(inner, list) else inner
    return tuple(path)


def _table_of(text: str, path: Path) -> str:
    return "".join(part for where, part in _sections(text) if where and where[: len(path)] == path)


def _without_table(text: str, path: Path) -> str:
    return "".join(
        part for where, part in _sections(text) if not where or where[: len(path)] != path
    )


def _joined(text: str, table: str) -> str:
    kept = text.rstrip("\n")
    return f"{kept}\n\n{table}" if kept else table


def _keyed(text: str, path: Path, line: str | None) -> str:
    """Return the document with this line for a key of its beginning; None takes the key away."""
    (_, head), *rest = _sections(text)
    tail = "".join(part for _, part in rest)
    found = _key(path).search(head)
    if found:
        new = "" if line is None else line.rstrip("\n") + "\n"
        return head[: found.start()] + new + head[found.end() :] + tail
    if line is None:
        return text
    kept = head.rstrip("\n")
    head = f"{kept}\n{line}\n" if kept else f"{line}\n"
    return f"{head}\n{tail}" if tail else head


def _line_of(text: str, path: Path) -> str | None:
    _, head = next(_sections(text))
    found = _key(path).search(head)
    return found[0] if found else None


def _key(path: Path) -> "re.Pattern[str]":
    return re.compile(rf"^[ \t]*\"?{re.escape(path[-1])}\"?[ \t]*=.*(?:\n|\Z)", re.MULTILINE)


def _table(path: Path, value: dict[str, Any]) -> str:
    own = {name: each for name, each in value.items() if not isinstance(each, dict)}
    inner = [(name, each) for name, each in value.items() if isinstance(each, dict)]
    rows = "".join(f"{_name((name,))} = {_scalar(each)}\n" for name, each in own.items())
    tables = [_table((*path, name), each) for name, each in inner]
    return "\n".join([f"[{_name(path)}]\n{rows}", *tables])


def _name(path: Path) -> str:
    return ".".join(each if BARE.match(each) else _scalar(each) for each in path)


def _scalar(value: Any) -> str:
    """Return a text, number, truth value or list as TOML, which writes them as JSON does."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)


def _yaml_line(name: str) -> "re.Pattern[str]":
    return re.compile(rf"^{re.escape(name)}[ \t]*:.*(?:\n|\Z)", re.MULTILINE)


def _yaml_keyed(text: str, name: str, line: str) -> str:
    found = _yaml_line(name).search(text)
    if found:
        return text[: found.start()] + line + text[found.end() :]
    return f"{text.rstrip(chr(10))}\n{line}" if text.strip() else line
