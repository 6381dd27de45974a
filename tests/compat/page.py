"""The matrix, for a terminal and as a page of the documentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.table import Table

from tests.compat.cells import FEATURES, OURS, Cell
from tests.compat.clients import CLIENTS
from tests.compat.upstreams import HOSTS

Outcomes = Mapping[Cell, str]
"""What is wrong with each cell; nothing where it holds."""

INTRODUCTION: Final = (Path(__file__).parent / "page.md").read_text()
PROGRAMS: Final = (Path(__file__).parent / "page_clients.md").read_text()
AGENTS: Final = (Path(__file__).parent / "page_agents.md").read_text()
DONE: Final = "yes"
LEGEND: Final = """¹ begun by aimock, ended by a script of ours: aimock does not break that way.
Reasoning at Cohere is aimock's, too, but marked as thoughts by a script of ours: aimock has it
as text."""


class Tried(Struct, frozen=True):
    """A program that was run against the gateway: which, at what provider, and what came of it."""

    name: str
    version: str
    client: str
    host: str
    outcome: str
    said: str = ""
    """What it printed, where it failed."""


def tables(outcomes: Outcomes) -> list[Table]:
    """Return the matrix for a terminal, a table for each client dialect."""
    made = []
    for client in CLIENTS:
        table = Table("", *(host.name for host in HOSTS), title=f"{client.name} clients")
        for name in FEATURES:
            cells = [outcomes[Cell(client, host, name)] for host in HOSTS]
            table.add_row(
                _title(name), *("[red]no[/]" if each else "[green]ok[/]" for each in cells)
            )
        made.append(table)
    return made


def programs(title: str, tried: Sequence[Tried]) -> Table:
    """Return for a terminal what came of programs."""
    table = Table("", "speaks", "provider speaks", "done", title=title)
    for one in tried:
        color = "green" if one.outcome == DONE else "red"
        name = f"{one.name} {one.version}"
        table.add_row(name, one.client, one.host, f"[{color}]{one.outcome}[/]")
    return table


def page(outcomes: Outcomes, clients: Sequence[Tried], agents: Sequence[Tried], when: str) -> str:
    """Return the page."""
    parts = [INTRODUCTION.format(when=when)]
    parts += [
        matrix(outcomes),
        LEGEND + "\n",
        PROGRAMS + _rows_of(clients),
        AGENTS + _rows_of(agents),
    ]
    return "\n".join(parts)


def matrix(outcomes: Outcomes) -> str:
    """Return the part of the page that only the cells decide."""
    return "\n".join(
        f"## Clients: {each.name}\n\n`POST {each.path}`\n\n{_rows(outcomes, each.name)}"
        for each in CLIENTS
    )


def _rows(outcomes: Outcomes, client: str) -> str:
    found = {
        (str(c.host.name), c.feature): bad for c, bad in outcomes.items() if c.client.name == client
    }
    names = [host.name for host in HOSTS]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for feature in FEATURES:
        marks = ["no" if found[host, feature] else "yes" for host in names]
        lines.append(f"| {_title(feature)} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _title(feature: str) -> str:
    return f"{feature}¹" if feature in OURS else feature


def _rows_of(tried: Sequence[Tried]) -> str:
    names = list(dict.fromkeys((one.name, one.version, one.client) for one in tried))
    found = {(one.name, one.host): one.outcome for one in tried}
    hosts = [host.name for host in HOSTS]
    lines = [f"| | speaks | {' | '.join(hosts)} |", "|---" * (len(hosts) + 2) + "|"]
    for name, version, client in names:
        marks = [found[name, host] for host in hosts]
        lines.append(f"| {name} {version} | {client} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"
