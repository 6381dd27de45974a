"""What `dragoman doctor` can tell without calling anyone: programs, settings, disk, limits.

A check is a value; how checks are shown, and those that use the network, are told
in `dragoman.cli.doctor` and `dragoman.cli.reach`.
"""

import os
import platform
import resource
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from msgspec import Struct

from dragoman import __version__
from dragoman.catalog.assemble import dangling
from dragoman.cli.catalog import Shelf
from dragoman.cli.context import certified, opened
from dragoman.config import OVERRIDE, Options, Settings
from dragoman.ledger import alert_rows, outbox
from dragoman.ledger.alert_rows import HOUSE
from dragoman.office import keys
from dragoman.office.alarms import JOURNAL
from dragoman.office.archive import Archive
from dragoman.office.premises import AWAY, AWAY_FIX, Premises, is_away, is_new
from dragoman.web.options import ServerOptions
from dragoman.web.server.listener import tls

MIB = 1024 * 1024
LITTLE_DISK = 1024 * MIB
NO_DISK = 100 * MIB
FEW_FILES = 4096
OURS = "DRAGOMAN_"
DEAR_USD = 0.01
"""A price per token that nobody asks for: a hundred times that of the dearest models."""
RELEASED = 1_790_000_000
"""Unix time before which this release cannot run: a clock that says so is wrong."""

State = Literal["ok", "note", "broken"]


class Check(Struct, frozen=True, kw_only=True):
    """One finding: what was looked at, how it is, and what to do unless it is fine."""

    name: str
    state: State
    detail: str
    fix: str = ""


def programs() -> Check:
    """Name the versions of what runs."""
    parts = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "httptools"))
    detail = f"Dragoman {__version__}, Python {platform.python_version()}, {parts}"
    return Check(name="versions", state="ok", detail=detail)


def clock(now: float) -> Check:
    """Tell whether Unix time `now` can be."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < RELEASED:
        fix = "Set it, for example with: timedatectl set-ntp true"
        return Check(name="clock", state="broken", detail=f"{shown} is in the past", fix=fix)
    return Check(name="clock", state="ok", detail=shown)


def open_files() -> Check:
    """Tell whether enough connections can be open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    detail = f"at most {soft} at once"
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        return Check(name="open files", state="note", detail=detail, fix="Run: ulimit -n 65536")
    return Check(name="open files", state="ok", detail=detail)


def free_disk(data: Path) -> Check:
    """Tell how much the disk of the data directory can still take."""
    there = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(there).free
    fix = f"Make room on the disk of {there}, or choose another with --data."
    state: State = "ok" if free >= LITTLE_DISK else "note" if free >= NO_DISK else "broken"
    detail = f"{free / MIB:,.0f} MiB free"
    return Check(name="disk", state=state, detail=detail, fix="" if state == "ok" else fix)


def settings_file(chosen: Settings) -> Check:
    """Tell which file the settings came from. They have been read already."""
    detail = f"{chosen.file} is read" if chosen.file else "no file; everything has a default"
    return Check(name="configuration", state="ok", detail=detail)


def strays(environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield the variables that look like settings and that nobody reads."""
    for variable in sorted(environ):
        section, _, key = variable.removeprefix(OURS).partition("_")
        if variable.startswith(OURS) and section.lower() in Options.__struct_fields__ and key:
            yield Check(
                name=variable,
                state="note",
                detail="is set, and nobody reads it",
                fix=f"As a setting it is spelled {OVERRIDE}{section}__{key}.",
            )


def certificate(server: ServerOptions) -> Iterator[Check]:
    """Yield whether the server's certificate can be used, if it has one. Raises Failure."""
    if server.certfile is not None:
        with certified(server):
            tls(server)
        yield Check(name="certificate", state="ok", detail=f"{server.certfile} and its key fit")


def prices(chosen: Settings) -> Iterator[Check]:
    """Yield a note for each price that must have been meant for a million tokens."""
    for slug, provider in chosen.options.providers.items():
        listed = {f"models.{id_}.": model.price for id_, model in provider.models.items()}
        for place, price in {"": provider.price, **listed}.items():
            dearest = max(float(price.prompt), float(price.completion)) if price else 0.0
            if dearest > DEAR_USD:
                yield Check(
                    name=f"providers.{slug}.{place}price",
                    state="note",
                    detail=f"{dearest:g} USD per token is {dearest * 1e6:,.0f} USD per million",
                    fix="Prices are USD per token: 2.50 per million is written 0.0000025.",
                )


def providers(shelf: Shelf, chosen: Settings) -> Iterator[Check]:
    """Yield a line where no provider is configured, with what would change that."""
    if shelf.hosts.configured or shelf.hosts.discover:
        return
    demo = chosen.options.demo != "off"
    yield Check(
        name="providers",
        state="ok" if demo else "note",
        detail="none is configured" + (": the demo models answer" if demo else ""),
        fix="Set a key such as OPENAI_API_KEY for the gateway, or: dragoman init",
    )


def aliases(shelf: Shelf) -> Iterator[Check]:
    """Yield a note for each alias that leads nowhere yet."""
    for name, target in dangling(shelf.catalog):
        yield Check(
            name=f"alias {name}",
            state="note",
            detail=f"{target} is no model that is known",
            fix="Correct the alias, or configure a host that serves the model.",
        )


def catalog(shelf: Shelf, chosen: Settings) -> Iterator[Check]:
    """Yield which catalog counts, and what stands in the way of a newer one."""
    edition, attempt = shelf.rows.edition, Archive(chosen.data).attempt()
    source = edition.source if edition else "as shipped"
    yield Check(name="catalog", state="ok", detail=f"{len(shelf.catalog.models)} models, {source}")
    for problem in shelf.rows.problems:
        fix = "Get it again: dragoman catalog refresh"
        yield Check(name="catalog", state="note", detail=f"set aside: {problem}", fix=fix)
    if attempt and attempt.problems:
        detail = f"the last refresh was refused: {attempt.source}: {attempt.problems[0]}"
        fix = "Correct it, or name another: dragoman catalog refresh"
        yield Check(name="catalog", state="note", detail=detail, fix=fix)
    if edition and edition.holds:
        detail = f"prices that wait for approval: {len(edition.holds)}"
        fix = "See them: dragoman catalog pending"
        yield Check(name="catalog", state="note", detail=detail, fix=fix)


def data_directory(chosen: Settings) -> Iterator[Check]:
    """Yield how the data directory is kept, and whether the databases open.

    Raises what `opened` does.
    """
    data, server = chosen.data, chosen.options.database.server
    yield _kept(data)
    if data.exists() and not data.is_dir():
        return
    if is_new(data, chosen.options.database):
        yield Check(name="databases", state="ok", detail="made by the first start")
        return
    if is_away(data, chosen.options.database):
        yield Check(name="databases", state="broken", detail=f"{data} {AWAY}", fix=AWAY_FIX)
        return
    with opened(chosen) as premises:
        yield from _incidents(premises)
        made = premises.ledger.run_now(keys.every)
        usable = sum(not key.disabled and key.revoked_at is None for key in made)
    yield Check(
        name="databases",
        state="ok" if usable else "note",
        detail=f"{'PostgreSQL, ' if server else ''}up to date, {usable} usable of {len(made)} keys",
        fix="" if usable else "Make a key: dragoman keys create NAME",
    )


def _kept(data: Path) -> Check:
    """Tell how the data directory is kept from others."""
    if not data.exists():
        return _to_be_made(data)
    if not data.is_dir():
        fix = "Choose another with --data."
        return Check(name="data", state="broken", detail=f"{data} is no directory", fix=fix)
    mode = stat.S_IMODE(data.stat().st_mode)
    others = mode & (stat.S_IRWXG | stat.S_IRWXO)
    return Check(
        name="data",
        state="note" if others else "ok",
        detail=f"{data} (mode {mode:04o})",
        fix=f"Keep others out: chmod 700 {data}" if others else "",
    )


def _incidents(premises: Premises) -> Iterator[Check]:
    """Yield the journals that cannot be booked, and the alerts that could not be delivered."""
    for mark, why in premises.ledger.read_now(alert_rows.notes(f"{JOURNAL}:")).items():
        _, node, name = mark.split(":", 2)
        yield Check(
            name=f"journal {name[:12]}",
            state="broken",
            detail=f"node {node} cannot book it: {why}",
            fix="What it tells is neither charged nor recorded yet: see docs/journal.md.",
        )
    given_up = premises.ledger.read_now(outbox.dead)
    for rule, number in sorted(given_up.items()):
        show = "dragoman alerts list --house" if rule == HOUSE else f"dragoman alerts show {rule}"
        yield Check(
            name="alerts",
            state="note",
            detail=f"{number} messages of {rule} could not be delivered",
            fix=f"See why: {show}",
        )


def _to_be_made(data: Path) -> Check:
    there = next(path for path in data.parents if path.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return Check(name="data", state="ok", detail=f"{data} is made by the first start")
    detail = f"{data} cannot be made: {there} is not yours to write"
    fix = "Choose another with --data."
    return Check(name="data", state="broken", detail=detail, fix=fix)


def environment(shelf: Shelf) -> Iterator[Check]:
    """Yield the credentials that were found, and the variables that were left alone."""
    for credential in shelf.hosts.credentials:
        provider = shelf.hosts.providers[credential.provider]
        if provider.dialect != "demo":
            secret = f", {credential.secret.hint()}" if credential.secret.reveal() else ""
            yield Check(
                name=f"credential {provider.slug}",
                state="ok",
                detail=f"{credential.source}{secret}",
            )
    for each in shelf.hosts.incomplete:
        lacks = f"{' and '.join(each.missing)} {'is' if len(each.missing) == 1 else 'are'} not"
        yield Check(
            name=each.given or f"providers.{each.provider}",
            state="note",
            detail=f"is set, and {lacks}: {each.provider} cannot be called",
            fix=f"Set what is missing, or give base_url of {each.provider} in dragoman.yaml.",
        )
    for found in shelf.hosts.found:
        yield Check(
            name=found.variable,
            state="note",
            detail=f"is set and could open {found.service}; it is left alone",
            fix="If it is meant for that, give it as api_key of the provider in dragoman.yaml.",
        )
