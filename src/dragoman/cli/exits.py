"""How a command ends: the exit codes that scripts rely on, and a failure in one sentence.

Light on purpose, since every command imports it. Which exception of which room
becomes which sentence is told in `dragoman.cli.failures`.
"""

import os
from pathlib import Path
from typing import Final

FAILED: Final = 1
USAGE: Final = 2

EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted."


class Failure(Exception):
    """Ends the command with `code`, after one sentence on stderr that names the fix."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def reason(error: OSError) -> str:
    """Return what the system says of an error, without what Python adds to it."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


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
    return f" {folder} belongs to user {owner}, and this is user {me}: chown {me} {folder}"
