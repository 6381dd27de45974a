"""What every test may use: programs that may be missing, and a Hypothesis that never times.

`needs("node")` gives the path of a program. Where it is missing the test skips
and says so at the end of the run; with `DRAGOMAN_REQUIRE_ALL=1`, as in CI, it
fails instead, so that nothing is skipped unnoticed.

`state` says where a test keeps its state: each that asks for it runs on SQLite and PostgreSQL.
`furnished` says so, too, where it is the same to a test how the tables came to be.
"""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from dragoman.catalog import shipped
from dragoman.catalog.assemble import assemble
from dragoman.office import shelf
from dragoman.store.options import DatabaseOptions
from tests import postgres
from tests.moulds import Mould, furnish, remembering

Needs = Callable[[str], str]

SYSTEM_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
NODE_CLIENTS: Final = Path(__file__).parent / "e2e" / "node"

IS_LONG: Final = os.environ.get("DRAGOMAN_LONG") == "1"
"""Whether to repeat as often as one would overnight, and not as often as it takes to see."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is behind `nohup` and `&`, and what tests start would ignore it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


LONGEST: Final = ("net", "chaos", "node", "e2e", "cli")
"""Directories with files that take half a minute, which no process is to begin at the end.

`net` is first, as it counts all objects there are, again and again: later there are more.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the directories of the longest files, so that all processes end together."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: it is five seconds of looking in vain."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over modules and tests, a million objects that stay.

    Each of its turns would take seconds, and tests that count what is left have many. It takes
    fewer turns by itself, too: what a module's applications hold stays until the module ends.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def applications() -> Iterator[None]:
    """Have FastAPI forget the applications of a module: it keeps thousands, each with a catalog."""
    yield
    for each in vars(sys.modules.get("fastapi.dependencies.models", sys)).values():
        if forget := getattr(each, "cache_clear", None):
            forget()


@pytest.fixture(scope="session", autouse=True)
def catalog_is_made_once() -> Iterator[None]:
    """Keep the shipped catalog, and what nodes make of it: a thousand tests build a node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "load", cache(shipped.load))
        patch.setattr(shelf, "assemble", remembering(assemble))
        yield


def absent(what: str) -> None:
    """Skip the test that is running, or fail it where everything is required."""
    reason = f"{what}; set DRAGOMAN_REQUIRE_ALL=1 to make this a failure"
    if os.environ.get("DRAGOMAN_REQUIRE_ALL") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Return a function from a program's name to its path; the test skips if there is none."""

    def find(program: str) -> str:
        if (path := shutil.which(program, path=SYSTEM_PATH)) is None:
            absent(f"{program} is not installed")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def node_clients(needs: Needs) -> Path:
    """Return the directory in which Node finds the clients that `make setup-dev` installs."""
    needs("node")
    if not (NODE_CLIENTS / "node_modules").is_dir():
        absent("the Node clients are not installed (make setup-dev installs them, with npm)")
    return NODE_CLIENTS


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL server; the test skips if there is none."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.server())
        except postgres.NoServer as why:
            url = ""
            absent(str(why))
        yield url


@pytest.fixture
def postgres_state(postgres_url: str) -> Iterator[DatabaseOptions]:
    """A schema of PostgreSQL for one test."""
    with postgres.schema(postgres_url) as options:
        yield options


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest) -> DatabaseOptions:
    """Where a test keeps its state: it runs on each."""
    if request.param == "sqlite":
        return DatabaseOptions()
    options: DatabaseOptions = request.getfixturevalue("postgres_state")
    return options


@pytest.fixture(scope="session")
def files_mould(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with every table and nothing else, to be copied."""
    made = tmp_path_factory.mktemp("moulds") / "data"
    furnish(made, DatabaseOptions())
    return made


@pytest.fixture(scope="session")
def postgres_mould(postgres_url: str) -> Iterator[Mould]:
    """The same in PostgreSQL."""
    with closing(Mould(postgres_url)) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def furnished(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseOptions]:
    """Where a test keeps its state, all tables made: on SQLite in files of `tmp_path / "data"`."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("files_mould"), tmp_path / "data")
        yield DatabaseOptions()
        return
    mould: Mould = request.getfixturevalue("postgres_mould")
    with mould.copy() as options:
        yield options
