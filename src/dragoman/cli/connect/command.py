"""`dragoman connect`: print or write a client's configuration, and try the gateway as it does.

The configuration goes to stdout, all that is said about it to stderr. What a client is told
stands in `recipes` and `snippets`, how its files are changed in `files`.
"""

import asyncio
import difflib
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from msgspec import Struct

from dragoman.cli.connect import files, show
from dragoman.cli.connect.clients import CLIENTS, named
from dragoman.cli.connect.keys import mint
from dragoman.cli.connect.models import chosen, listed
from dragoman.cli.connect.trial import Finding, trial
from dragoman.cli.connect.types import Choice, Client, Config, Document, Facts, Model
from dragoman.cli.consent import agreed, ask
from dragoman.cli.console import err, print_json
from dragoman.cli.context import ConfigOption, DataOption, JsonOption
from dragoman.cli.exits import EPILOG, FAILED, USAGE, Failure
from dragoman.cli.gateway import KeyOption, UrlOption, get, unreachable
from dragoman.net.types import Limits, NetError
from dragoman.wire.address import HERE

YOUR_KEY: Final = "YOUR_KEY"
PATIENCE: Final = Limits(head_s=10.0, idle_s=10.0)
BASES: Final = ("/chat/completions", "/v1", "/api")
NOBODY: Final = Facts(origin="", key=YOUR_KEY, models=Choice(main=Model(id=""), small=Model(id="")))
"""Facts that serve to learn which files and settings a client has."""

app = typer.Typer(add_completion=False)


class Wishes(Struct, frozen=True, kw_only=True):
    """What was typed, apart from the client."""

    url: str
    key: str | None
    model: str | None
    small_model: str | None
    file: Path | None
    write: bool
    yes: bool
    test: bool
    as_json: bool


@app.command(epilog=EPILOG)
def connect(
    client: Annotated[
        str | None, typer.Argument(metavar="CLIENT", help="Without it, the clients are listed.")
    ] = None,
    url: UrlOption = HERE,
    key: KeyOption = None,
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make a key named after the client.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="ID", help="By default the newest that suits.")
    ] = None,
    small_model: Annotated[
        str | None, typer.Option("--small-model", metavar="ID", help="For titles and the like.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the client's files.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put the client's files back.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Another file than the client's first."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Try the gateway with a few small requests.")
    ] = True,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set up a client for this gateway, and try what the client will do."""
    if client is None:
        show.clients(CLIENTS, as_json=as_json)
        return
    one = _client(client)
    if undo:
        _undo(one, file, yes=yes)
        return
    wishes = Wishes(
        url=url, key=key, model=model, small_model=small_model, file=file, write=write, yes=yes,
        test=test, as_json=as_json,
    )  # fmt: skip
    if write and not one.recipe(NOBODY).documents:
        raise Failure(f"{one.title} has no file to write. Leave --write out.", USAGE)
    origin = _origin(url)
    models = _models(one, origin, wishes)
    if write:
        _rehearse(one.recipe(Facts(origin=origin, key=YOUR_KEY, models=models)), wishes)
    key = key or _known(one, file)
    made = key is None and (make_key or _wanted(one, wishes))
    if made:
        key = mint(one.name, data, config)
    _connect(one, Facts(origin=origin, key=key or YOUR_KEY, models=models), wishes, made=made)


def _connect(client: Client, facts: Facts, wishes: Wishes, *, made: bool) -> None:
    """Print or write the configuration, then try it."""
    config = client.recipe(facts)
    if facts.key == YOUR_KEY and wishes.write:
        raise Failure("Give a key with --key, or have one made with --make-key.", USAGE)
    if made and not wishes.as_json:
        err().print(f"Made the key {files.shortened(facts.key)}, named {client.name}.")
    written = _written(config, facts, wishes) if wishes.write else ()
    if not wishes.write and not wishes.as_json:
        show.configuration(config)
    findings: list[Finding] = []
    if facts.key == YOUR_KEY:
        err().print("Put a key in the place of YOUR_KEY. Make one: dragoman keys create NAME")
    elif wishes.test:
        findings = asyncio.run(_try(client, facts, shown=not wishes.as_json))
    if wishes.as_json:
        print_json(show.report(client, facts, written, findings))
    if any(each.state == "broken" for each in findings):
        raise typer.Exit(FAILED)


async def _try(client: Client, facts: Facts, *, shown: bool) -> list[Finding]:
    found: list[Finding] = []
    if shown:
        err().print(f"Trying {facts.models.main.id} at {facts.origin} as {client.title} does:")
    async for finding in trial(client, facts):
        found.append(finding)
        if shown:
            show.finding(finding)
    return found


def _written(config: Config, facts: Facts, wishes: Wishes) -> tuple[Path, ...]:
    """Show what changes, ask, and change the files; return those that were changed."""
    changes = [files.planned(*each) for each in _placed(config, wishes.file)]
    due = [change for change in changes if not change.idle]
    if not due:
        err().print("Nothing to change: " + ", ".join(str(each.path) for each in changes))
        return ()
    err().print(files.difference(due, facts.key))
    _ask("Write this?", wishes.yes)
    for change in due:
        files.write(change)
        err().print(f"Wrote {change.path}; what it was: {files.backup(change.path)}")
    show.remarks(config)
    return tuple(change.path for change in due)


def _rehearse(config: Config, wishes: Wishes) -> None:
    """Raise Failure where nothing could be written, before a key is made for it."""
    if not wishes.yes:
        _somebody()
    for document, path in _placed(config, wishes.file):
        files.planned(document, path)


def _undo(client: Client, file: Path | None, *, yes: bool) -> None:
    """Put back what was there before the first --write."""
    placed = _placed(client.recipe(NOBODY), file)
    changes = [change for each in placed if (change := files.way_back(*each))]
    if not changes:
        raise Failure(f"Nothing to undo: dragoman has written no file of {client.title}.", USAGE)
    key = files.known_key(placed, YOUR_KEY)
    err().print(files.difference(changes, key or ""))
    _ask("Put this back?", yes)
    for change in changes:
        files.undo(change)
        err().print(f"{'Removed' if change.after is None else 'Put back'} {change.path}")


def _placed(config: Config, file: Path | None) -> list[tuple[Document, Path]]:
    """Return each document of a client and where it lies; the first may lie elsewhere."""
    return [
        (document, files.place(document, file if number == 0 else None))
        for number, document in enumerate(config.documents)
    ]


def _known(client: Client, file: Path | None) -> str | None:
    """Return the key that an earlier --write left in the client's files."""
    return files.known_key(_placed(client.recipe(NOBODY), file), YOUR_KEY)


def _wanted(client: Client, wishes: Wishes) -> bool:
    """Ask whether to make a key, where somebody is there to answer."""
    if wishes.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return agreed(f"No key was given. Make one named {client.name}?")


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    _somebody()
    ask(question)


def _somebody() -> None:
    """Raise Failure unless there is somebody to be asked."""
    if not sys.stdin.isatty():
        raise Failure("Nobody is here to be asked. If this is what you want, add --yes.", USAGE)


def _models(client: Client, origin: str, wishes: Wishes) -> Choice:
    """Return the models for the client, out of the live list. Raises Failure."""
    try:
        status, body = asyncio.run(get(f"{origin}/api/v1/models", PATIENCE))
        models = listed(body) if status == 200 else ()
    except NetError as error:
        raise Failure(unreachable(origin, error)) from error
    except msgspec.DecodeError as error:
        raise Failure(f"What answers at {origin} is no gateway. Check --url.") from error
    if status != 200:
        raise Failure(f"{origin}/api/v1/models answered {status}. Check --url.")
    choice = chosen(models, client.families, wishes.model, wishes.small_model)
    if choice is None:
        raise Failure(f"{origin} lists no model that can be called: see dragoman doctor.")
    return choice


def _origin(url: str) -> str:
    """Return where the gateway is, without the path of an API. Raises Failure."""
    if not url.startswith(("http://", "https://")):
        raise Failure(f"--url {url}: give an address such as {HERE}", USAGE)
    bare = url.rstrip("/")
    for path in BASES:
        bare = bare.removesuffix(path)
    return bare


def _client(name: str) -> Client:
    found = named(name)
    if found:
        return found
    near = difflib.get_close_matches(name, [each.name for each in CLIENTS], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise Failure(f"There is no client {name}.{hint} All of them: dragoman connect", USAGE)
