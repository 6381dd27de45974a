"""The `dragoman` command: the table of its commands, and how one of them is run.

`--help` is printed from the table, and only the command that runs is imported:
`dragoman keys list` should not wait for a web framework. Each command's module
offers `app`; what it raises is turned into a sentence by `dragoman.cli.failures`,
which is imported when there is something to say.
"""

import logging
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from types import MappingProxyType, TracebackType
from typing import Annotated, Any, Final

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # re-exported
from typer.core import TyperGroup

from dragoman import __version__
from dragoman.cli.exits import EPILOG, FAILED

COMMANDS: Final = MappingProxyType(
    {
        "serve": "Start the gateway.",
        "init": "Write a commented dragoman.yaml, or print its JSON Schema.",
        "doctor": "Check the installation, and name a fix for what is wrong.",
        "connect": "Set up a client, such as Claude Code or Codex, and try it.",
        "keys": "Create, list, disable and revoke keys.",
        "byok": "Keep accounts' own credentials at providers.",
        "accounts": "Change what an account wants: whether what is said is stored.",
        "members": "Keep the members of an account, their roles and budgets.",
        "credits": "Add credit to an account, refund it, or show what is left.",
        "ledger": "Prove that the books add up.",
        "alerts": "Tell people when much was spent: by webhook or e-mail.",
        "audit": "Show who changed which key, and when.",
        "models": "List the models that can be called, or compare some.",
        "catalog": "Build, refresh and compare the catalog of models.",
        "prices": "Show what endpoints charge, or charge the past anew by a corrected price.",
        "reconcile": "Compare the records with a provider's usage or cost export.",
        "chat": "Talk to a model in the terminal.",
        "route": "Explain where a request would go, and why.",
        "logs": "Show what was asked, who answered and what it cost.",
        "generations": "Forget what was said in generations.",
        "usage": "Show usage and its cost by model, key, app or day.",
        "export": "Write generations to a file: CSV, JSON or Parquet.",
        "db": "Show, upgrade, back up and restore the databases.",
        "completion": "Print the completion script of a shell.",
    }
)
"""Every command, and what it is for. Its module has its name, or that in MODULES."""

MODULES: Final = MappingProxyType({"catalog": "catalog_commands", "connect": "connect.command"})


class Commands(TyperGroup):
    """The group of all commands, each imported when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that `args` begins with, then resolve as usual."""
        name = args[0]
        if name in COMMANDS:
            module = import_module(f"dragoman.cli.{MODULES.get(name, name)}")
            command = typer.main.get_command(module.app)
            command.name = name
            self.commands[name] = command
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A known failure becomes one sentence and an exit code."""
        with _Sentences():
            return super().invoke(ctx)


class _Sentences:
    """Turns a known failure within it into a sentence on stderr; a defect passes through."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, typer.Exit):
            return
        code = import_module("dragoman.cli.failures").report(error)
        if code is not None:
            if isinstance(error, OSError):
                _print_no_more()
            raise typer.Exit(code) from error


def _print_no_more() -> None:
    """Drop what could not be written, which the interpreter would try to once more."""
    if isinstance(sys.stdout, TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dragoman {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """A self-hosted gateway with OpenRouter's API: one endpoint and one key for every model."""


def _stub() -> None:
    """Stand in the listing for a command that has not been imported."""


def command_line() -> typer.Typer:
    """Return the application of the command line."""
    app = typer.Typer(
        cls=Commands,
        callback=_options,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, purpose in COMMANDS.items():
        app.command(name, help=purpose)(_stub)
    return app


def main() -> None:
    """Run the command that the arguments of this process name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    logging.getLogger("dragoman").addHandler(logging.NullHandler())
    completion_init()
    try:
        try:
            command_line()(prog_name="dragoman")
        finally:
            if sys.stdout:  # which a shell can close
                sys.stdout.flush()  # at the interpreter's end it is too late to say why not
    except BrokenPipeError:
        _print_no_more()
        sys.exit(FAILED)
    except OSError as error:
        code = import_module("dragoman.cli.failures").report(error)
        if code is None:
            raise
        _print_no_more()
        sys.exit(code)
