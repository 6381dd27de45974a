"""Limits of money as commands take and show them: an amount, and when it begins anew."""

from enum import StrEnum
from typing import Annotated

import typer

from dragoman.access.types import Reset
from dragoman.cli.exits import USAGE, Failure
from dragoman.core import money
from dragoman.office.keys import Limit


class Window(StrEnum):
    """How long a limit lasts."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


WINDOWS: dict[Window, Reset] = {
    Window.DAILY: "daily",
    Window.WEEKLY: "weekly",
    Window.MONTHLY: "monthly",
}

ResetOption = Annotated[
    Window | None,
    typer.Option("--reset", help="When the limit begins anew, at midnight UTC; never if left out."),
]
UserLimitOption = Annotated[
    str | None,
    typer.Option("--user-limit", metavar="USD", help="The most each end user may, or `none`."),
]
UserResetOption = Annotated[
    Window | None,
    typer.Option("--user-reset", help="When that begins anew; never if left out."),
]


def limit_of(text: str | None, window: Window | None) -> Limit | None:
    """Return the limit that is asked for, None where none is. Raises Failure."""
    if text is None:
        if window is not None:
            raise Failure("A window is given, and no limit that begins anew with it.", USAGE)
        return None
    nanos = None if text == "none" else nanos_of(text)
    return Limit(nanos=nanos, reset=None if window is None else WINDOWS[window])


def nanos_of(text: str) -> int:
    """Read what somebody may spend. Nothing is an amount, too. Raises Failure."""
    try:
        return 0 if text.strip("0.") == "" and "0" in text else money.amount(text)
    except ValueError as error:
        raise Failure(f"{error}", USAGE) from error


def words_of(limit: float | None, reset: Reset | None) -> str:
    """Return a limit in words, nothing where there is none."""
    if limit is None:
        return ""
    return f"${limit:g}" + (f" {reset}" if reset else "")
