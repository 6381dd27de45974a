"""The catalog of the moment: shipped rows, a refreshed edition over them, and what hosts tell.

A new catalog replaces the old one whole; whatever cannot be used leaves the one
there is. Who brings news, and when, is told in `upkeep` and `refresh`.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping

from msgspec import Struct

from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped, assemble
from dragoman.catalog.changes import endpoints
from dragoman.catalog.check import check
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Hosts, hosts
from dragoman.catalog.options import Declared
from dragoman.catalog.overlay import Refreshed, overlay
from dragoman.catalog.types import Catalog, Model
from dragoman.core.clock import Clock
from dragoman.office.archive import Archive, Edition
from dragoman.office.found import FoundFile
from dragoman.providers.registry import DIALECTS

_log = logging.getLogger(__name__)


class Rows(Struct, frozen=True, kw_only=True):
    """The rows that count: those of the package, or with an edition laid over them.

    `problems` says why an edition that is on disk does not count.
    """

    shipped: Shipped
    edition: Edition | None = None
    problems: tuple[str, ...] = ()


def shipped_digest() -> str:
    """Return what tells the catalog of this package from that of another. Blocks."""
    return hashlib.sha256((shipped.DATA / "models.json").read_bytes()).hexdigest()


def rows_of(package: Shipped, archive: Archive) -> Rows:
    """Return the rows that count. Blocks; never fails: a bad edition yields to the one before."""
    problems: list[str] = []
    for edition in archive.editions():
        if isinstance(edition, str):
            problems.append(edition)
            continue
        try:
            rows = laid_over(package, edition)
        except CatalogError as error:
            problems.append(str(error))
            continue
        return Rows(shipped=rows, edition=edition, problems=tuple(problems))
    return Rows(shipped=package, problems=tuple(problems))


def laid_over(package: Shipped, edition: Edition) -> Shipped:
    """Return the rows of the package under those of an edition. Raises CatalogError.

    An edition that was made for another package is not used: the rows of a newer
    package are newer.
    """
    place = f"the catalog from {edition.source}"
    if edition.over != shipped_digest():
        raise CatalogError(place, "was compared with another version of Dragoman: refresh again")
    checked = check(bytes(edition.catalog), package.providers, None)
    if checked.problems:
        raise CatalogError(place, str(checked.problems[0]))
    refreshed = Refreshed(
        models=checked.models,
        renamed=checked.renamed,
        dated=edition.fetched_at,
        holds=edition.holds,
    )
    return overlay(package, refreshed)


class Shelf:
    """Holds the catalog of the moment. Blocks wherever it makes a new one.

    Where several processes share one catalog, what hosts tell is handed on in the file `found`:
    one process takes it from the hosts, the others from there.
    """

    def __init__(
        self,
        declared: Declared,
        environ: Mapping[str, str],
        archive: Archive,
        clock: Clock,
        found: FoundFile | None = None,
    ) -> None:
        self._declared = declared
        self._archive = archive
        self._now = clock.wall
        self._package = shipped.load()
        self._file = found
        self._found_mark = found.mark() if found else None
        self._found = found.read() if found else ()
        self.mark = archive.mark()
        self.rows = rows_of(self._package, archive)
        self.hosts: Hosts = hosts(self._package.providers, declared.providers, environ)
        self.next_price_at: float | None = None
        self.current: Catalog = self._first()
        self._tell()

    def catalog(self) -> Catalog:
        """Return the catalog of the moment."""
        return self.current

    @property
    def found(self) -> tuple[Model, ...]:
        """What hosts told of themselves."""
        return self._found

    def take(self, found: Iterable[Model]) -> None:
        """Make a catalog with what hosts tell of themselves. Raises CatalogError and OSError."""
        self._found = tuple(found)
        self.current = self._assembled()
        if self._file is not None:
            self._file.write(self._found)
            self._found_mark = self._file.mark()

    def reload(self) -> None:
        """Make a catalog of what is on disk now, and of the prices of now.

        Raises CatalogError and OSError.
        """
        self.mark = self._archive.mark()
        if self._file is not None:
            self._found_mark = self._file.mark()
            self._found = self._file.read()
        rows, before = rows_of(self._package, self._archive), self.rows
        self.rows = rows
        try:
            self.current = self._assembled()
        except CatalogError:
            self.rows, self.next_price_at = before, None
            raise
        self._tell()

    @property
    def version(self) -> str:
        """Return a name for what this catalog was made of, the same in each process."""
        made_of = repr((self.mark, self._found_mark, self.next_price_at))
        return hashlib.sha256(made_of.encode()).hexdigest()[:12]

    @property
    def is_stale(self) -> bool:
        """Whether an edition was put into force, or a price came to hold, since this was made."""
        due = self.next_price_at is not None and self._now() >= self.next_price_at
        if due or self._archive.mark() != self.mark:
            return True
        return self._file is not None and self._file.mark() != self._found_mark

    def _first(self) -> Catalog:
        """Return the first catalog; an edition at odds with the settings does not stop a start."""
        try:
            return self._assembled()
        except CatalogError as error:
            if self.rows.edition is None:
                raise
            problems = (*self.rows.problems, str(error))
        self.rows = Rows(shipped=self._package, problems=problems)
        return self._assembled()

    def _assembled(self) -> Catalog:
        now = int(self._now())
        catalog = assemble(
            self.rows.shipped,
            self.hosts,
            self._declared,
            discovered=self._found,
            dialects=frozenset(DIALECTS),
            now=now,
        )
        later = (each.upcoming for each in endpoints(catalog.models.values()) if each.upcoming)
        self.next_price_at = min((dated[0].since for dated in later), default=None)
        return catalog

    def _tell(self) -> None:
        for problem in self.rows.problems:
            _log.warning("catalog.set_aside problem=%s", problem)
