"""Clients' files: what would change, the change itself, and the way back.

Beside a file that is changed for the first time, what it was is kept, under its name with
`.before-dragoman`; an empty one says that there was none. Both are for the owner's eyes only.
"""

import difflib
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from dragoman.cli.connect.documents import MISSING, DocumentError, at, edited, parsed, restored
from dragoman.cli.connect.types import Document
from dragoman.cli.exits import USAGE, Failure, reason, unusable

SUFFIX = ".before-dragoman"
PRIVATE = 0o600
ELSEWHERE = (
    ("~/.claude/", "CLAUDE_CONFIG_DIR"),
    ("~/.codex/", "CODEX_HOME"),
    ("~/.config/", "XDG_CONFIG_HOME"),
)
"""Directories that a variable can move, if it is set."""


class Change(Struct, frozen=True, kw_only=True):
    """A file before and after; None: there is none."""

    path: Path
    before: str | None
    after: str | None

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done."""
        return self.before == self.after


def place(document: Document, instead: Path | None = None) -> Path:
    """Return where a document lies: as a link says, so that the link itself stays."""
    path = instead or _at_home(document.path)
    return path.resolve() if path.is_symlink() else path


def fresh(document: Document) -> str:
    """Return the document as it is where there was none."""
    return edited(document.kind, "", document.settings)


def planned(document: Document, path: Path) -> Change:
    """Return what sets the document's settings. Raises Failure where that cannot be done."""
    before = _read(path)
    try:
        after = edited(document.kind, before or "", document.settings)
    except DocumentError as error:
        raise Failure(
            f"{path} cannot be changed: {error}. Leave --write out, and set it by hand.", USAGE
        ) from error
    return Change(path=path, before=before, after=after)


def way_back(document: Document, path: Path) -> Change | None:
    """Return what puts back what was there before us; None where we have not been."""
    kept = _read(backup(path))
    if kept is None:
        return None
    now = _read(path)
    paths = [setting.path for setting in document.settings]
    try:
        after: str | None = restored(document.kind, now or "", kept, paths)
    except DocumentError as error:
        raise Failure(
            f"{path} cannot be put back: {error}. What it was is in {backup(path)}", USAGE
        ) from error
    gone = not kept and (document.kind == "text" or not parsed(document.kind, after or ""))
    return Change(path=path, before=now, after=None if gone else after)


def known_key(documents: Iterable[tuple[Document, Path]], mark: str) -> str | None:
    """Return the key that stands in the files already, where the settings have `mark` for it."""
    for document, path in documents:
        try:
            value = parsed(document.kind, _read(path) or "")
        except DocumentError:
            continue
        for setting in document.settings:
            found = _beside(setting.value, at(value, setting.path), mark)
            if found:
                return found
    return None


def difference(changes: Sequence[Change], key: str) -> str:
    """Return the changes as people read them, with the key cut short."""
    parts = [
        line
        for change in changes
        for line in difflib.unified_diff(
            (change.before or "").splitlines(),
            (change.after or "").splitlines(),
            str(change.path),
            str(change.path),
            n=2,
            lineterm="",
        )
    ]
    text = "\n".join(parts)
    return text.replace(key, shortened(key)) if key else text


def shortened(key: str) -> str:
    """Return enough of a key to know it by."""
    return f"{key[:11]}…{key[-4:]}" if len(key) > 24 else "…"


def write(change: Change) -> None:
    """Make a change, after keeping what was there at the first one. Raises Failure."""
    try:
        change.path.parent.mkdir(parents=True, exist_ok=True)
        kept = backup(change.path)
        if not kept.exists():
            _replace(kept, change.before or "", PRIVATE)
        _replace(change.path, change.after or "", _mode(change.path))
    except OSError as error:
        raise unusable(error, f"{change.path} cannot be written") from error


def undo(change: Change) -> None:
    """Put a file back, and forget what it was. Raises Failure."""
    try:
        if change.after is None:
            change.path.unlink(missing_ok=True)
        elif not change.idle:
            _replace(change.path, change.after, _mode(change.path))
        backup(change.path).unlink()
    except OSError as error:
        raise unusable(error, f"{change.path} cannot be put back") from error


def backup(path: Path) -> Path:
    """Return where what a file was is kept."""
    return path.with_name(path.name + SUFFIX)


def _at_home(path: str) -> Path:
    for begin, variable in ELSEWHERE:
        moved = os.environ.get(variable)
        if moved and path.startswith(begin):
            return Path(moved) / path.removeprefix(begin)
    return Path(path).expanduser()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is no text"
        raise Failure(f"{path} cannot be read: {why}", USAGE) from error


def _mode(path: Path) -> int:
    """Return who may read a file: as it was, but keys are not shown to others."""
    return stat.S_IMODE(path.stat().st_mode) & 0o700 if path.exists() else PRIVATE


def _replace(path: Path, text: str, mode: int) -> None:
    """Put a text in the place of a file at once: whoever reads sees the old one or the new."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _beside(ours: object, theirs: object, mark: str) -> str | None:
    """Return the text in `theirs` whose counterpart in `ours` is the mark."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = ((ours[name], theirs[name]) for name in ours if name in theirs)
        return next(filter(None, (_beside(a, b, mark) for a, b in pairs)), None)
    if theirs is MISSING or not isinstance(ours, str) or not isinstance(theirs, str):
        return None
    return theirs.strip() or None if ours.strip() == mark else None
