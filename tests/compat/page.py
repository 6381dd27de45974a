"""The matrix, for a terminal and as a page of the documentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.table import Table

from tests.compat.cells import OURS, Cell, features_of
from tests.compat.clients import CLIENTS, Client
from tests.compat.kinds import KINDS, Kind, KindCell
from tests.compat.upstreams import HOSTS

Outcomes = Mapping[Cell | KindCell, str]
"""What is wrong with each cell; nothing where it holds."""

INTRODUCTION: Final = (Path(__file__).parent / "page.md").read_text()
PROGRAMS: Final = (Path(__file__).parent / "page_clients.md").read_text()
AGENTS: Final = (Path(__file__).parent / "page_agents.md").read_text()
DONE: Final = "yes"
NO: Final = "no"
LEGEND: Final = (Path(__file__).parent / "page_legend.md").read_text()


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
        for name in features_of(client):
            cells = [outcomes[Cell(client, host, name)] for host in HOSTS]
            table.add_row(
                _title(name), *("[red]no[/]" if each else "[green]ok[/]" for each in cells)
            )
        made.append(table)
    return [*made, *(_kind_table(outcomes, kind) for kind in KINDS)]


def _kind_table(outcomes: Outcomes, kind: Kind) -> Table:
    table = Table("", *(host.name for host in HOSTS), title=kind.name)
    for name in kind.features:
        cells = [KindCell(kind, host, name) for host in HOSTS]
        marks = (_mark(outcomes, cell) for cell in cells)
        table.add_row(name, *("[red]no[/]" if mark == NO else mark for mark in marks))
    return table


def _mark(outcomes: Outcomes, cell: KindCell) -> str:
    """Return what the page says of a cell."""
    if outcomes[cell]:
        return NO
    return f"{cell.expected}²" if cell.is_ours else cell.expected


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
        LEGEND,
        PROGRAMS + _rows_of(clients),
        AGENTS + _rows_of(agents),
    ]
    return "\n".join(parts)


def matrix(outcomes: Outcomes) -> str:
    """Return the part of the page that only the cells decide."""
    clients = "\n".join(
        f"## Clients: {each.name}\n\n`POST {each.path}`\n\n{_rows(outcomes, each)}"
        for each in CLIENTS
    )
    kinds = "\n".join(
        f"## Clients: {each.name}\n\n`POST {each.path}`\n\n{_kind_rows(outcomes, each)}"
        for each in KINDS
    )
    return f"{clients}\n{kinds}"


def _kind_rows(outcomes: Outcomes, kind: Kind) -> str:
    lines = [f"| | {' | '.join(host.name for host in HOSTS)} |", "|---" * (len(HOSTS) + 1) + "|"]
    for feature in kind.features:
        marks = [_mark(outcomes, KindCell(kind, host, feature)) for host in HOSTS]
        lines.append(f"| {feature} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _rows(outcomes: Outcomes, client: Client) -> str:
    found = {
        (str(c.host.name), c.feature): bad
        for c, bad in outcomes.items()
        if isinstance(c, Cell) and c.client is client
    }
    names = [host.name for host in HOSTS]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for feature in features_of(client):
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
