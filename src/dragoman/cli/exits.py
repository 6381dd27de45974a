"""How a command ends: the exit codes that scripts rely on, and a failure in one sentence.

Light on purpose, since every command imports it. Which exception of which room
becomes which sentence is told in `dragoman.cli.failures`.
"""

import errno
import os
from pathlib import Path
from typing import Final

FAILED: Final = 1
"""It was asked for rightly and did not come off. Another time it may."""
USAGE: Final = 2
"""The command, a setting or a file that was named has to be another one."""

TO_BE_NAMED_OTHERWISE: Final = frozenset({
    errno.EACCES, errno.EEXIST, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM, errno.EROFS,
})  # fmt: skip
"""Why the system refuses a file that should be another one, or have other rights."""

FIXES: Final = {
    errno.EEXIST: "It is never replaced: name another.",
    errno.EDQUOT: "Make room, or name another place.",
    errno.ENOSPC: "Make room, or name another place.",
}

EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted."


class Failure(Exception):
    """Ends the command with `code`, after one sentence on stderr that names the fix."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def in_use(data: Path) -> str:
    """Say that a gateway cannot have this data directory beside another."""
    return f"A gateway uses {data} already. Stop it, or choose another directory with --data."


def reason(error: OSError) -> str:
    """Return what the system says of an error, without what Python adds to it."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def code_of(error: OSError) -> int:
    """Return how a command ends whose file the system refused."""
    return USAGE if error.errno in TO_BE_NAMED_OTHERWISE else FAILED


def unusable(error: OSError, what: object) -> Failure:
    """Return the Failure of a command whose file the system refused, with the fix if there is one.

    A disk that is full is no wrong usage: who tries again once there is room need change nothing.
    """
    fix = FIXES.get(error.errno or 0)
    said = f"{what}: {reason(error)}"
    return Failure(said if fix is None else f"{said}. {fix}", code_of(error))


def whose(error: OSError) -> str:
    """Say to whom a folder belongs that refused this user, in a sentence to be appended.

    Empty where the folder is this user's own, or where something else is wrong.
    """
    if not isinstance(error, PermissionError) or not isinstance(error.filename, str):
        return ""
    folder = Path(error.filename).absolute().parent
    try:
        owner, me = folder.stat().st_uid, os.geteuid()
    except OSError:
        return ""
    if owner == me:
        return ""
    return (
        f" {folder} belongs to user {owner}, and this is user {me}: run this as that user, "
        f"or give it to this one: chown {me} {folder}"
    )
