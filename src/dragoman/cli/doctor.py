"""`dragoman doctor`: everything that can be wrong with an installation, each with its fix.

The checks themselves stand in `dragoman.cli.checks` and `dragoman.cli.reach`.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Final, TypeVar

import typer
from rich.text import Text

from dragoman.cli import checks, reach
from dragoman.cli.catalog import look, shipped_only
from dragoman.cli.checks import Check
from dragoman.cli.console import err, out, print_json, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, directory, settings
from dragoman.cli.exits import EPILOG, FAILED
from dragoman.cli.failures import KNOWN, explain
from dragoman.config import Settings

T = TypeVar("T")

MARKS: Final = {"ok": ("✓", "green"), "note": ("!", "yellow"), "broken": ("✗", "red")}

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Call no provider.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the installation, and name a fix for what is wrong."""
    report = _Report(_silent if as_json else _show)
    report.take([checks.programs(), checks.clock(time.time()), checks.open_files()])
    report.take([checks.free_disk(directory(data))])
    chosen = _found("configuration", lambda: settings(data, config))
    if isinstance(chosen, Check):
        report.take([chosen])
    else:
        _installation(chosen, report, offline)
    broken = sum(check.state == "broken" for check in report.taken)
    if as_json:
        print_json(report.taken)
    else:
        err().print(f"{broken} broken." if broken else "Nothing is broken.")
    if broken:
        raise typer.Exit(FAILED)


class _Report:
    """Collects checks and has each shown as it comes."""

    def __init__(self, show: Callable[[Check], None]) -> None:
        self.taken: list[Check] = []
        self._show = show

    def take(self, found: Iterable[Check]) -> None:
        for check in found:
            self.add(check)

    def add(self, check: Check) -> None:
        self.taken.append(check)
        self._show(check)


def _installation(chosen: Settings, report: _Report, offline: bool) -> None:
    """Check what can be checked once the settings are read."""
    report.add(checks.settings_file(chosen))
    report.take(checks.strays(chosen.environ))
    served = _found("certificate", lambda: [*checks.certificate(chosen.options.server)])
    report.take([served] if isinstance(served, Check) else served)
    kept = _found("data", lambda: [*checks.data_directory(chosen)])
    report.take([kept] if isinstance(kept, Check) else kept)
    report.add(asyncio.run(reach.gateway(chosen)))
    shelf = _found("providers", lambda: shipped_only(chosen) if offline else look(chosen))
    if isinstance(shelf, Check):
        report.add(shelf)
        return
    report.take(checks.catalog(shelf, chosen))
    report.take(checks.providers(shelf, chosen))
    report.take(checks.aliases(shelf))
    report.take(checks.prices(chosen))
    report.take(checks.environment(shelf))
    waiting = len(reach.asked(shelf))
    if waiting and not offline:
        with err().status(f"Asking {waiting} providers…"):
            asyncio.run(reach.providers(chosen, shelf, report.add))


def _found(name: str, work: Callable[[], T]) -> T | Check:
    """Return what `work` does, or a broken check that says what any command would."""
    try:
        return work()
    except KNOWN as error:
        told = explain(error)
        return Check(name=name, state="broken", detail=told[0] if told else str(error))


def _show(check: Check) -> None:
    mark, style = MARKS[check.state]
    line = Text.assemble((mark, style), f" {check.name}: {printable(check.detail)}")
    out().print(line)
    if check.fix:
        out().print(Text(f"    {check.fix}", style="dim"))


def _silent(_: Check) -> None:
    """Show nothing: the whole report follows as JSON."""
