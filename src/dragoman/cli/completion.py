"""`dragoman completion`: the script that makes a shell complete commands and options."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # re-exported

from dragoman.cli.exits import EPILOG

app = typer.Typer(add_completion=False)


class Shell(StrEnum):
    """The shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(epilog=EPILOG)
def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that shall complete.")],
) -> None:
    """Print the completion script of a shell: eval "$(dragoman completion bash)"."""
    typer.echo(
        get_completion_script(
            prog_name="dragoman", complete_var="_DRAGOMAN_COMPLETE", shell=shell.value
        )
    )
