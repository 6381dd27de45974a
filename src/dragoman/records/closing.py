"""Packs the counts of speeds of days that are over: many series a row, not a row a bucket.

A day's counts grow by rows of `speed`, which are cheap to add to; once it is over they are
moved to `speed_page`, which is cheap to read and a tenth the size. What there is of a day
is always what both tables hold together, and pages are only ever added. So nobody has to know
which days are packed: what comes late is a row of `speed` as ever, and later another page.
"""

from sqlalchemy import Connection, delete, func, select

from dragoman.records.faces import DAY_S, Face
from dragoman.records.packing import page
from dragoman.records.speeds import Speed
from dragoman.records.tables import speed, speed_page
from dragoman.store.bulk import insert_rows
from dragoman.store.sql import Work

ROWS_AT_ONCE = 2000
"""Some 10 ms of the one writer of a SQLite file."""
LATE_S = 3600
"""So long a day stays as it is after its end: nearly all that comes late has come by then."""
LOCK = 0x7061636B
"""The advisory lock of PostgreSQL under which this is done: `pack` in ASCII."""

Moment = tuple[int, int]
"""A face, and when an hour or a day of it began."""


def pack(now: float) -> Work[bool]:
    """Pack some counts of hours and days that are over; say whether there may be more.

    Reports say the same before, meanwhile and after. While another node is at it, nothing is done.
    """
    before = int((now - LATE_S) // DAY_S) * DAY_S

    def work(connection: Connection) -> bool:
        if not _is_alone(connection):
            return False
        moment = _oldest(connection, before)
        if moment is not None:
            _move(connection, moment)
        return moment is not None

    return work


def _is_alone(connection: Connection) -> bool:
    """Say whether nobody else packs. A write transaction of SQLite is alone already."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(LOCK))).scalar_one())


def _oldest(connection: Connection, before: int) -> Moment | None:
    for face in Face:
        where = (speed.c.face == int(face), speed.c.start < before)
        oldest = select(speed.c.start).where(*where).order_by(speed.c.start).limit(1)
        start = connection.execute(oldest).scalar()
        if start is not None:
            return int(face), start
    return None


def _move(connection: Connection, moment: Moment) -> None:
    """Move the counts of the first series that a moment has in `speed` to a page of each speed."""
    where = [speed.c.face == moment[0], speed.c.start == moment[1]]
    order = select(speed.c.series).where(*where).order_by(speed.c.series, speed.c.code)
    end = connection.execute(order.offset(ROWS_AT_ONCE - 1).limit(1)).scalar()
    if end is not None:
        where.append(speed.c.series <= end)
    # What is deleted says what it was: no count is lost that another writer adds just now.
    taken = delete(speed).where(*where).returning(speed.c.series, speed.c.code, speed.c.requests)
    moved: dict[Speed, dict[int, dict[int, int]]] = {kind: {} for kind in Speed}
    for series, code, requests in connection.execute(taken):
        moved[Speed(code >> 8)].setdefault(series, {})[code & 0xFF] = requests
    number = _next(connection, moment)
    pages = [(*moment, int(kind), number, page(found)) for kind, found in moved.items() if found]
    insert_rows(connection, speed_page, pages)


def _next(connection: Connection, moment: Moment) -> int:
    """Return the number of a moment's next pages."""
    table = speed_page.c
    where = (table.face == moment[0], table.start == moment[1])
    last = connection.execute(select(func.max(table.number)).where(*where)).scalar()
    return 0 if last is None else int(last) + 1
