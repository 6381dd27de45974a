"""`dragoman route explain`: where a request would go, and why, without sending it.

What a server has lately seen of endpoints is not known here, so health plays no
part. How a plan is made is told in `dragoman.routing`.
"""

import sys
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer
from msgspec import Raw

from dragoman.cli.catalog import look
from dragoman.cli.console import err, out, per_million, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, settings
from dragoman.cli.exits import EPILOG, unusable
from dragoman.core.notes import Note
from dragoman.routing.explain import Explanation, explain
from dragoman.routing.plan import plan
from dragoman.routing.refusal import refusal
from dragoman.routing.sessions import session_key
from dragoman.shaping.ask import ask
from dragoman.wire.chat import ChatCall, parse_members
from dragoman.wire.json import members

MINIMAL = b'{"messages": [{"role": "user", "content": "Hello!"}]}'

app = typer.Typer(
    no_args_is_help=True, add_completion=False, epilog=EPILOG, help="Explain where requests go."
)


class Explained(Explanation, frozen=True, kw_only=True):
    """The explanation, and what was changed in the request to get there."""

    notes: tuple[Note, ...]


@app.callback()
def _group() -> None:
    """Explain where requests go."""


@app.command("explain", epilog=EPILOG)
def explain_(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model, an alias, a variant.")],
    request: Annotated[
        str | None,
        typer.Option(
            "--request", metavar="FILE", help="The body of a chat request; - reads stdin."
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the endpoints that would be tried, in order, and why the others are left out."""
    call = _call(model, request)
    catalog = look(settings(data, config)).catalog
    session = session_key(call.session_id or call.cache_key)
    rng = Random(session)  # noqa: S311 - a lottery between providers, not a secret
    wants, notes = ask(call, catalog, rng)
    wants = msgspec.structs.replace(wants, session=session)
    the_plan = plan(wants, catalog, {}, rng)
    explanation = explain(the_plan, wants, catalog, {})
    if as_json:
        print_json(Explained(**msgspec.structs.asdict(explanation), notes=notes))
    else:
        _show(explanation, notes)
        err().print("Without a running gateway's measurements: health is unknown here.")
    if not the_plan.steps:
        err().print(f"A request would get: {refusal(the_plan, wants, catalog)}")


def _call(model: str, request: str | None) -> ChatCall:
    """Return the request of the file, with this model. Raises Failure or InvalidRequest."""
    found = members(_body(request))
    found["model"] = Raw(msgspec.json.encode(model))
    return parse_members(found)


def _body(request: str | None) -> bytes:
    if request is None:
        return MINIMAL
    if request == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(request).read_bytes()
    except OSError as error:
        raise unusable(error, request) from error


def _show(explanation: Explanation, notes: tuple[Note, ...]) -> None:
    if explanation.steps:
        print_table(
            (">#", "provider", "endpoint", ">$/M in", ">$/M out", "why"),
            [
                (
                    str(step.position),
                    step.provider,
                    f"{step.tag}|{step.model}",
                    per_million(step.prompt_usd_per_million),
                    per_million(step.completion_usd_per_million),
                    step.why,
                )
                for step in explanation.steps
            ],
        )
    if explanation.refused:
        out().print("\nLeft out:")
        print_table(
            ("provider", "endpoint", "reason", "detail"),
            [
                (each.provider, f"{each.tag}|{each.model}", each.reason, each.detail)
                for each in explanation.refused
            ],
        )
    for note in notes:
        out().print(f"Note: {note.field} {note.change}: {note.detail}")
