"""What most commands need: the options --data and --config, the settings, the data directory."""

import os
import shlex
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.exits import USAGE, Failure, code_of, reason, unusable, whose
from dragoman.config import (
    FILE_NAME,
    ConfigError,
    Settings,
    config_file,
    data_directory,
    load,
)
from dragoman.office.premises import (
    PEPPER,
    Premises,
    check_home,
    is_new,
    open_locked,
    open_premises,
)
from dragoman.web.options import ServerOptions

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="DRAGOMAN_DATA",
        show_default=False,
        readable=False,
        help="Where state is kept; by default ~/.local/share/dragoman.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="DRAGOMAN_CONFIG",
        show_default=False,
        readable=False,
        help="The settings; by default dragoman.yaml here, or in the data directory.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def settings(data: Path | None, config: Path | None) -> Settings:
    """Return the settings as these options, the environment and the file say.

    Raises ConfigError.
    """
    environ = dict(os.environ)
    where = data_directory(data, environ)
    with usable(where):
        file = config_file(config, where, environ)
    options = load(file, environ)
    _check_authorities(options.upstream.ca_file)
    return Settings(options=options, file=file, data=where, environ=environ)


def _check_authorities(ca_file: str | None) -> None:
    """Raise ConfigError unless the file holds certificates, or there is none to be read."""
    if ca_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"upstream.ca_file: {ca_file}: holds no PEM certificates") from error
    except OSError as error:
        raise ConfigError(f"upstream.ca_file: {ca_file}: {reason(error)}") from error


def directory(data: Path | None) -> Path:
    """Return where state is kept, whether or not the settings can be read."""
    return data_directory(data, os.environ)


def program() -> str:
    """Return this command as it can be typed: by its name, else by the path it was called by."""
    called = sys.argv[0]
    found = shutil.which("dragoman")
    if Path(called).name != "dragoman" or (found and Path(found).samefile(called)):
        return "dragoman"
    return shlex.quote(called)


def data_words(chosen: Settings) -> str:
    """Return ` --data DIR` for a command to be pasted, nothing where it finds the data itself."""
    if data_directory(None, chosen.environ) == chosen.data:
        return ""
    return f" --data {shlex.quote(str(chosen.data))}"


def config_words(chosen: Settings) -> str:
    """Return ` --config FILE` for a command to be pasted, nothing where it finds it itself."""
    if chosen.file in {None, Path(FILE_NAME), chosen.data / FILE_NAME}:
        return ""
    return f" --config {shlex.quote(str(chosen.file))}"


def check_existing(chosen: Settings) -> None:
    """Raise Failure where no Dragoman has been yet. One that lost its pepper is told of that.

    Raises CustodyError where it is elsewhere.
    """
    with usable(chosen.data):
        missing = not (chosen.data / PEPPER).exists()
        nothing = missing and is_new(chosen.data, chosen.options.database)
    if nothing:
        raise Failure(
            f"{chosen.data} holds no Dragoman yet. Start one with dragoman serve, make a key with "
            "dragoman keys create NAME, or name another directory with --data.",
            USAGE,
        )
    with usable(chosen.data):
        check_home(chosen.data, chosen.options.database)


@contextmanager
def opened_existing(chosen: Settings) -> Iterator[Premises]:
    """Do what `opened` does, but make nothing: Failure where no Dragoman has been yet."""
    check_existing(chosen)
    with opened(chosen) as premises:
        yield premises


@contextmanager
def opened(chosen: Settings) -> Iterator[Premises]:
    """Open the installation, and close it at the end.

    Raises what `open_premises` does, and Failure where no directory can be made or read.
    """
    with usable(chosen.data):
        premises = open_premises(chosen.data, chosen.options.database)
    with closing(premises):
        yield premises


@contextmanager
def opened_locked(chosen: Settings) -> Iterator[Premises]:
    """Do what `opened_existing` does, whether or not own credentials of accounts can be opened."""
    check_existing(chosen)
    with usable(chosen.data):
        premises = open_locked(chosen.data, chosen.options.database)
    with closing(premises):
        yield premises


@contextmanager
def usable(data: Path) -> Iterator[None]:
    """Turn the system's refusal to make or read files within it into a Failure."""
    try:
        yield
    except OSError as error:
        where = error.filename or data
        raise Failure(
            f"The data directory {data} cannot be used: {where}: {reason(error)}. "
            f"Choose another with --data.{whose(error)}",
            code_of(error),
        ) from error


@contextmanager
def certified(options: ServerOptions) -> Iterator[None]:
    """Say within it what is wrong with a certificate."""
    try:
        yield
    except ssl.SSLError as error:
        raise Failure(
            f"{options.certfile}: holds no PEM certificate with its key. "
            "Name the file of the key with --keyfile.",
            USAGE,
        ) from error
    except OSError as error:
        files = " or ".join(each for each in (options.certfile, options.keyfile) if each)
        raise unusable(error, files) from error
