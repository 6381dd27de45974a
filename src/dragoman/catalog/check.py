"""Read a catalog that somebody offers, and refuse it unless all of it is sound.

Everything that is wrong is told with its line, so that whoever made the file can
mend it. A file that is sound may still ask for prices that have to wait: see
`changes`. It brings models, prices and names, and never hosts: where a key is sent
is up to the package and to `dragoman.yaml`. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from dragoman.catalog.agreement import models_faults, names_faults
from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import Hold, comparable, endpoints, held
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.lines import Lines, Path
from dragoman.catalog.overlay import by_key
from dragoman.catalog.shipped import ModelRow, models_of
from dragoman.catalog.soundness import Fault, RenameRow
from dragoman.catalog.types import Model, Provider, Renamed

MOST_BYTES = 32 * 1024 * 1024
MOST_MODELS = 20_000
MOST_ENDPOINTS = 100_000
MOST_PROBLEMS = 50
"""A file that is all wrong is not told about in full."""

MASS = 10
MASS_SHARE = 4
"""Ten prices, and a quarter of all, that moved by a factor are no news but a unit gone wrong."""

_WHERE = re.compile(r" - at `\$([^`]*)`$")
_BYTE = re.compile(r" \(byte (\d+)\)$")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")


class Problem(Struct, frozen=True, kw_only=True):
    """Why a catalog is refused. `place` is the row that is wrong, empty for the file itself."""

    line: int
    reason: str
    place: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {f'{self.place}: ' if self.place else ''}{self.reason}"


class Checked(Struct, frozen=True, kw_only=True):
    """What a file says. With `problems` it must not be used, and nothing else is told."""

    models: tuple[Model, ...] = ()
    renamed: dict[str, Renamed] = {}
    holds: tuple[Hold, ...] = ()
    problems: tuple[Problem, ...] = ()


class File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The longer form of a file; the shorter is the array of its models alone."""

    models: tuple[ModelRow, ...] = ()
    renamed: dict[str, RenameRow] = {}
    providers: msgspec.Raw | UnsetType = UNSET


_decode_models = msgspec.json.Decoder(tuple[ModelRow, ...]).decode
_decode_file = msgspec.json.Decoder(File).decode


def check(text: bytes, providers: Mapping[str, Provider], previous: Shipped | None) -> Checked:
    """Return what the file `text` says, or why it is refused.

    `previous` are the rows that count up to now, with which names and prices must agree.
    """
    if problem := _unreadable(text):
        return Checked(problems=(problem,))
    lines = Lines(text.decode())
    try:
        file = _decoded(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return Checked(problems=(_damage(text, lines, error),))
    problems = tuple(
        Problem(
            line=lines.at(path[1:] if _is_array(text) else path),
            place=_place(file, path),
            reason=reason,
        )
        for path, reason in islice(_faults(file, providers, previous), MOST_PROBLEMS)
    )
    if problems:
        return Checked(problems=problems)
    try:
        checked = Checked(models=models_of(file.models, providers), renamed=_renamed(file))
    except CatalogError as error:
        return Checked(problems=(Problem(line=1, reason=str(error)),))
    return checked if previous is None else _compared(checked, previous)


def _unreadable(text: bytes) -> Problem | None:
    """Return what can be said before the text is decoded, which costs memory."""
    if len(text) > MOST_BYTES:
        return Problem(line=1, reason=f"is longer than {MOST_BYTES:,} bytes")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return Problem(line=_line(text, error.start), reason="is not UTF-8")
    for member, most in (("endpoints", MOST_MODELS), ("upstream", MOST_ENDPOINTS)):
        quoted = b'"%s"' % member.encode()
        if text.count(quoted) > most:
            first = next(islice(re.finditer(quoted, text), most, None))
            line = _line(text, first.start())
            return Problem(line=line, reason=f"holds `{member}` more than {most:,} times")
    return None


def _decoded(text: bytes) -> File:
    return File(models=_decode_models(text)) if _is_array(text) else _decode_file(text)


def _is_array(text: bytes) -> bool:
    return not text.lstrip().startswith(b"{")


def _damage(text: bytes, lines: Lines, error: Exception) -> Problem:
    """Return where the decoder stopped, and why."""
    said = str(error)
    if where := _WHERE.search(said):
        path: Path = tuple(name or int(index) for name, index in _STEP.findall(where[1]))
        place = where[1].removeprefix(".")
        return Problem(line=lines.at(path), place=place, reason=said[: where.start()])
    if at := _BYTE.search(said):
        return Problem(line=_line(text, int(at[1])), reason=said[: at.start()])
    offset = 0 if isinstance(error, msgspec.ValidationError) else len(text)
    return Problem(line=_line(text, offset), reason=said)


def _line(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1


def _faults(
    file: File, providers: Mapping[str, Provider], previous: Shipped | None
) -> Iterator[Fault]:
    """Yield what is wrong with the rows; a path begins with the member of the longer form."""
    if file.providers is not UNSET:
        yield ("providers",), "hosts do not come with a refresh: they decide where keys are sent"
    if not file.models and not file.renamed:
        yield (), "holds no model"
    for path, reason in models_faults(file.models, providers):
        yield ("models", *path), reason
    for path, reason in names_faults(file.renamed, file.models, previous):
        yield ("renamed", *path), reason


def _place(file: File, path: Path) -> str:
    """Return a path in words: the model, the provider, and the member of the row."""
    match path:
        case ("models", int(number), "endpoints", int(index), *rest):
            row = file.models[number]
            words = [f"{row.id} at {row.endpoints[index].provider}"]
        case ("models", int(number), *rest):
            words = [file.models[number].id]
        case _:
            words, rest = [], list(path)
    member = ".".join(map(str, rest))
    return ": ".join([*words, member] if member else words)


def _renamed(file: File) -> dict[str, Renamed]:
    return {
        name.lower(): Renamed(name=name, target=row.to, dated=row.dated, reason=row.reason)
        for name, row in file.renamed.items()
    }


def _compared(checked: Checked, previous: Shipped) -> Checked:
    """Add which prices wait. When it is as many as a wrong unit makes, refuse the file."""
    before, after = by_key(previous.models), tuple(endpoints(checked.models))
    holds = held(before, after)
    if len(holds) < MASS or len(holds) * MASS_SHARE < comparable(before, after):
        return structs.replace(checked, holds=holds)
    worst = max(holds, key=lambda hold: hold.times)
    reason = (
        f"{len(holds)} prices changed more than fivefold, as when a unit is wrong; "
        f"{worst.endpoint} by {worst.times:,.0f} times"
    )
    return Checked(problems=(Problem(line=1, reason=reason),))
