"""From the bytes of a source to the texts of `models.json` and of the report, and their size."""

from collections.abc import Mapping

from msgspec import Struct

from dragoman.catalog.build.checked import Checks
from dragoman.catalog.build.merge import build
from dragoman.catalog.build.read import read
from dragoman.catalog.build.report import report
from dragoman.catalog.build.rows import rows, text
from dragoman.catalog.build.tables import read_table, tables
from dragoman.catalog.build.tally import Tally, tally
from dragoman.catalog.types import Provider


class Compiled(Struct, frozen=True, kw_only=True):
    """What a build makes: two texts, and how much the hosts among the providers serve."""

    models: str
    report: str
    hosts: Tally


def compile_catalog(source: bytes, providers: Mapping[str, Provider]) -> Compiled:
    """Build the catalog of `providers`. Raises CatalogError for a source or a table that is none.

    Reads the tables of the package, and nothing else.
    """
    decided = tables()
    built = build(read(source), providers, decided)
    made = rows(built.models, decided)
    checks = read_table("checked.yaml", Checks).checked
    return Compiled(
        models=text(made),
        report=report(built.account, built.models, made, providers, checks),
        hosts=tally(made, providers, {"host"}),
    )
