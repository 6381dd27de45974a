"""Questions that a command asks before it does what cannot be undone.

Asked on stderr, so that a pipe carries the results alone. Ctrl-C at a question interrupts the
command like anywhere else.
"""

import sys

import typer

from dragoman.cli.exits import FAILED, USAGE, Failure


def agreed(question: str) -> bool:
    """Ask, and return whether the answer is yes; anything else is no, as is the mere return key.

    Raises Failure where nobody is there to answer.
    """
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
        raise Failure("Nobody is here to be asked. If this is what you want, add --yes.", USAGE)
    return answer.strip().lower() in {"y", "yes"}


def ask(question: str) -> None:
    """Ask, and end the command unless the answer is yes. Raises Failure."""
    if not agreed(question):
        raise Failure("Nothing was changed.", FAILED)
