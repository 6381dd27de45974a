"""What `dragoman connect` prints: the list of clients, a configuration, and how the test goes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer
from msgspec import Struct
from rich.text import Text

from dragoman.cli.connect.files import fresh
from dragoman.cli.connect.render import exported, rendered
from dragoman.cli.connect.trial import Finding
from dragoman.cli.connect.types import Choice, Client, Config, Facts, Model
from dragoman.cli.console import err, print_json, print_table, printable

MARKS: Final = {"ok": ("✓", "green"), "note": ("!", "yellow"), "broken": ("✗", "red")}
WAYS: Final = {"chat": "chat", "messages": "Messages", "responses": "Responses", "cursor": "chat"}
NOBODY: Final = Facts(origin="", key="", models=Choice(main=Model(id=""), small=Model(id="")))


class Listed(Struct, frozen=True, kw_only=True):
    """A client as it is listed."""

    name: str
    title: str
    api: str
    installed: bool
    writes: tuple[str, ...]


class WrittenDocument(Struct, frozen=True, kw_only=True):
    """A file that a client needs, as it is where there was none."""

    path: str
    text: str


class Report(Struct, frozen=True, kw_only=True):
    """Everything that was found and done, for programs."""

    client: str
    url: str
    key: str
    model: str
    small_model: str
    env: dict[str, str]
    code: str
    steps: tuple[str, ...]
    documents: tuple[WrittenDocument, ...]
    written: tuple[str, ...]
    findings: tuple[Finding, ...]


def clients(table: Sequence[Client], *, as_json: bool) -> None:
    """Print the clients, and which of them are on this machine."""
    rows = [_listed(client) for client in table]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("client", "what it is", "api", "here", "files"),
        [
            (row.name, row.title, row.api, "yes" if row.installed else "", ", ".join(row.writes))
            for row in rows
        ],
    )
    err().print("Set one up: dragoman connect CLIENT; with --write its files are changed.")


def configuration(config: Config) -> None:
    """Print what a client has to be told."""
    typer.echo(rendered(config), nl=False)


def remarks(config: Config) -> None:
    """Print what is left to be done once the files are written."""
    for name, value in config.env:
        err().print(f"Set: {exported(name, value)}")
    for step in config.steps:
        err().print(step)


def finding(found: Finding) -> None:
    """Print how a step of the self-test went."""
    mark, style = MARKS[found.state]
    line = f" {found.name:<12} {found.ms:>8.1f} ms  {printable(found.detail)}"
    err().print(Text.assemble((mark, style), line))
    if found.fix:
        err().print(Text(f"    {found.fix}", style="dim"))


def report(
    client: Client, facts: Facts, written: Sequence[Path], findings: Sequence[Finding]
) -> Report:
    """Return all of it as a value."""
    config = client.recipe(facts)
    return Report(
        client=client.name,
        url=facts.base,
        key=facts.key,
        model=facts.models.main.id,
        small_model=facts.models.small.id,
        env=dict(config.env),
        code=config.code,
        steps=config.steps,
        documents=tuple(WrittenDocument(path=d.path, text=fresh(d)) for d in config.documents),
        written=tuple(str(path) for path in written),
        findings=tuple(findings),
    )


def installed(client: Client) -> bool:
    """Tell whether a client's program or its files are on this machine."""
    return any(shutil.which(program) for program in client.programs) or any(
        Path(trace).expanduser().exists() for trace in client.traces
    )


def _listed(client: Client) -> Listed:
    return Listed(
        name=client.name,
        title=client.title,
        api=WAYS[client.dialect],
        installed=installed(client),
        writes=tuple(document.path for document in client.recipe(NOBODY).documents),
    )
