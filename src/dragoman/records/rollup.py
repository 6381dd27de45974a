"""What many generations come to: sums and speeds per hour or day and per series. Pure.

A series is what generations have in common: an account, a model, an endpoint, and more or
less beyond, which is its face. The narrow face is kept per hour and per day, so that a
month of a busy installation is a few thousand rows; the wide ones are kept per day. A
generation adds to each face in which it can be seen; those that agree are added up first,
so that a busy moment costs little more than a quiet one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from operator import add, itemgetter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.records.faces import DAY_S, HOUR_S, SUMS, Face
from dragoman.records.fit import MOST, clean, fitting
from dragoman.records.lines import Line
from dragoman.records.rows import COLUMNS
from dragoman.records.speeds import Speed, bucket

CLIENT_LEFT = 499
LONGEST_LABEL = 200
MOST_TAGS = 16
OTHERS = "(others)"
"""Stands for every label beyond those that are told apart."""


class Place(NamedTuple):
    """Where a generation belongs. Texts are empty where there is none."""

    account: str
    key_hash: str
    model: str
    provider: str
    provider_name: str
    endpoint: str
    app: str


class Share(Struct, frozen=True, gc=False):
    """What a generation adds: when, to what, sums in the order of SUMS, speeds, labels."""

    at: float
    place: Place
    sums: tuple[int, ...]
    speeds: tuple[int, ...]
    user: str
    tags: tuple[str, ...]


class Rolled(Struct, frozen=True):
    """Rows of `series`, `rollup`, `speed` and `key_usage`, each in the order of their keys."""

    series: list[tuple[Any, ...]]
    sums: list[tuple[int, ...]]
    speeds: list[tuple[int, ...]]
    usage: list[tuple[Any, ...]]


_facts_of: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
    *map(
        COLUMNS.index,
        (
            "created_at", "account", "key_hash", "model", "provider", "provider_name", "endpoint",
            "title", "referer", "user", "tags",
        ),
    )
)  # fmt: skip
_numbers_of: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
    *map(
        COLUMNS.index,
        (
            "status", "cancelled", "is_byok", "cost_nanos", "byok_nanos", "latency_ms",
            "generation_ms",
        ),
    )
)  # fmt: skip
_read_tags = msgspec.json.Decoder(dict[str, str]).decode
EPOCH = date(1970, 1, 1).toordinal()


def share(line: Line) -> Share:
    """Return what a generation adds, of which this is the line."""
    status, cancelled, is_byok, cost, byok, latency, took = _numbers_of(line.row)
    at, account, key_hash, model, provider, name, endpoint, title, referer, user, tags = _facts_of(
        line.row
    )
    if endpoint is None and line.asked is not None:
        model, provider, name, endpoint = line.asked
    speeds: tuple[int, ...] = ()
    timed = generated = 0
    if latency is not None:
        timed = 1
        spread = took or 0
        speeds = (
            _LATENCY | (_FIRST[latency] if 0 <= latency < _QUICK else bucket(latency)),
            _GENERATION | (_FIRST[spread] if 0 <= spread < _QUICK else bucket(spread)),
        )
    if took and line.completion > 0:
        generated = line.completion
        speeds = (*speeds, _THROUGHPUT | bucket(generated * 1000 / took))
    left = cancelled or status == CLIENT_LEFT
    sums = (
        1,
        1 if status >= 400 and not left else 0,
        1 if left else 0,
        1 if line.attempts > 1 else 0,
        1 if is_byok else 0,
        line.prompt,
        line.completion,
        line.reasoning,
        line.cached,
        cost,
        byok,
        timed,
        latency or 0,
        took if generated else 0,
        generated,
    )
    app = app_of(title, referer) if title or referer else ""
    place = Place(account, key_hash, model or "", provider or "", name or "", endpoint or "", app)
    labels = () if tags == "{}" else _labels(tags)
    return Share(at, place, sums, speeds, label(user) if user else "", labels)


def more_cost(each: Share, more: int) -> Share:
    """Return what the same generation adds once it turns out to cost so much more, in nano-USD."""
    sums = tuple(more if name == "cost_nanos" else 0 for name in SUMS)
    return replace(each, sums=sums, speeds=())


def app_of(title: str | None, referer: str | None) -> str:
    """Return the name of the app that asked: its title, else its site; empty if it gave neither."""
    if title:
        return label(title)
    if not referer:
        return ""
    try:
        return label(urlsplit(referer).netloc or referer)
    except ValueError:
        return label(referer)


def label(text: str) -> str:
    """Return text as a label: as any database takes it, and not too long."""
    return clean(text[:LONGEST_LABEL])


_Group = tuple[Any, ...]
"""An hour, the parts of a place, and a user or tag where the sums are of one.

It and the sums are plain tuples of plain values, which the garbage collector lets alone.
"""


class _Seen:
    """What is added up for one face: sums by group, and how often which speeds were reached."""

    __slots__ = ("speeds", "sums")

    def __init__(self) -> None:
        self.sums: dict[_Group, tuple[int, ...]] = {}
        self.speeds: dict[tuple[_Group, tuple[int, ...]], int] = {}

    def add(self, group: _Group, each: Share) -> None:
        """Add what a generation adds to a group."""
        found = self.sums.get(group)
        self.sums[group] = each.sums if found is None else tuple(map(add, found, each.sums))
        if each.speeds:
            key = (group, each.speeds)
            self.speeds[key] = self.speeds.get(key, 0) + 1


class Sums:
    """What generations come to, as they are added one by one, until it is made into rows."""

    def __init__(self) -> None:
        self._keys, self._users, self._tags = _Seen(), _Seen(), _Seen()
        self._latest: dict[tuple[str, int], float] = {}
        self.generations = 0
        """How many were added."""

    def __len__(self) -> int:
        """Return about how many rows it makes."""
        return sum(len(seen.sums) for seen in (self._keys, self._users, self._tags))

    def add(self, each: Share) -> None:
        """Add what a generation adds."""
        self.generations += 1
        at, place = each.at, each.place
        hour = int(at) // HOUR_S * HOUR_S
        self._keys.add((hour, *place, ""), each)
        if each.user:
            self._users.add((hour, *place, each.user), each)
        for tag in each.tags:
            self._tags.add((hour, *place, tag), each)
        used = (place.key_hash, hour // DAY_S)
        if at > self._latest.get(used, 0.0):
            self._latest[used] = at

    def names(self) -> tuple[set[str], set[str], set[str]]:
        """Return the names of apps, users and tags that occur."""
        keys, users, tags = self._keys.sums, self._users.sums, self._tags.sums
        apps = {group[_APP] for group in keys}
        return apps - {""}, {group[_TEXT] for group in users}, {group[_TEXT] for group in tags}

    def rolled(self, lost: tuple[set[str], set[str], set[str]]) -> Rolled:
        """Return the rows, in which each of the `lost` names of apps, users, tags is OTHERS."""
        apps, users, tags = lost
        rows = _Rows()
        keys = _renamed(self._keys.sums, apps, set())
        narrow: dict[_Group, tuple[int, ...]] = {}
        for group, sums in keys.items():
            rows.add(Face.KEYS, group, sums)
            _take(narrow, _narrowed(group), sums)
        for face, seen, names in (
            (Face.USERS, self._users, users), (Face.TAGS, self._tags, tags),
        ):  # fmt: skip
            for group, sums in _renamed(seen.sums, apps, names).items():
                rows.add(face, group, sums)
        for group, sums in narrow.items():
            rows.add(Face.HOURLY, group, sums)
        self._count(rows, lost)
        return rows.rolled(self._usage(keys))

    def _count(self, rows: "_Rows", lost: tuple[set[str], set[str], set[str]]) -> None:
        """Count speeds; those of the narrow face once they are added up, for they are few."""
        apps, users, tags = lost
        narrow: dict[tuple[_Group, tuple[int, ...]], int] = {}
        for (group, codes), count in self._keys.speeds.items():
            rows.count(Face.KEYS, _told(group, apps, set()) if apps else group, codes, count)
            agreed = (_narrowed(group), codes)
            narrow[agreed] = narrow.get(agreed, 0) + count
        for (group, codes), count in narrow.items():
            rows.count(Face.HOURLY, group, codes, count)
        for face, seen, names in (
            (Face.USERS, self._users, users), (Face.TAGS, self._tags, tags),
        ):  # fmt: skip
            for (group, codes), count in seen.speeds.items():
                rows.count(face, _told(group, apps, names), codes, count)

    def _usage(self, keys: Mapping[_Group, Sequence[int]]) -> list[tuple[Any, ...]]:
        """Return the rows of `key_usage`."""
        totals: dict[tuple[str, int], tuple[int, ...]] = {}
        for group, sums in keys.items():
            used = (group[_KEY], group[0] // DAY_S)
            added = (sums[0], sums[5], sums[6], sums[9], sums[10])
            there = totals.get(used)
            totals[used] = added if there is None else tuple(map(add, there, added))
        return [
            (used[0], date.fromordinal(EPOCH + used[1]), *_fitted(totals[used]), self._latest[used])
            for used in sorted(totals)
        ]


class _Rows:
    """Rows as they grow."""

    def __init__(self) -> None:
        self._ids: dict[Face, dict[_Group, int]] = {face: {} for face in Face}
        self._series: dict[int, tuple[Any, ...]] = {}
        self._sums: dict[tuple[int, int, int], Sequence[int]] = {}
        self._speeds: dict[tuple[int, int, int, int], int] = {}

    def add(self, face: Face, group: _Group, sums: Sequence[int]) -> None:
        """Add to the row of a day, in the narrow face to that of the hour, too."""
        id_ = self._id(face, group)
        for key in _spans(face, group[0], id_):
            total = self._sums.get(key)
            self._sums[key] = sums if total is None else [*map(add, total, sums)]

    def count(self, face: Face, group: _Group, codes: Iterable[int], count: int) -> None:
        """Add to the counts of speeds of a day, in the narrow face to those of the hour, too."""
        id_ = self._id(face, group)
        for key in _spans(face, group[0], id_):
            for code in codes:
                of_code = (*key, code)
                self._speeds[of_code] = self._speeds.get(of_code, 0) + count

    def rolled(self, usage: list[tuple[Any, ...]]) -> Rolled:
        """Return all rows."""
        return Rolled(
            series=[self._series[id_] for id_ in sorted(self._series)],
            sums=[(*key, *_fitted(self._sums[key])) for key in sorted(self._sums)],
            speeds=[(*key, self._speeds[key]) for key in sorted(self._speeds)],
            usage=usage,
        )

    def _id(self, face: Face, group: _Group) -> int:
        ids = self._ids[face]
        id_ = ids.get(group)
        if id_ is None:
            id_ = ids[group] = _series(face, group)
            self._series[id_] = (id_, *group[1:])
        return id_


def _spans(face: Face, hour: int, id_: int) -> tuple[tuple[int, int, int], ...]:
    """Return the keys of the rows in which an hour of a series is."""
    day = hour // DAY_S * DAY_S
    return ((1, hour, id_), (2, day, id_)) if face is Face.HOURLY else ((int(face), day, id_),)


def _narrowed(group: _Group) -> _Group:
    return (group[0], group[1], "", group[3], group[4], group[5], group[6], "", "")


def _take(into: dict[_Group, tuple[int, ...]], key: _Group, sums: tuple[int, ...]) -> None:
    found = into.get(key)
    into[key] = sums if found is None else tuple(map(add, found, sums))


def _renamed(
    groups: dict[_Group, tuple[int, ...]], apps: set[str], labels: set[str]
) -> dict[_Group, tuple[int, ...]]:
    """Return the groups with the names of some apps and labels replaced, added up again."""
    if not apps and not labels:
        return groups
    renamed: dict[_Group, tuple[int, ...]] = {}
    for group, sums in groups.items():
        _take(renamed, _told(group, apps, labels), sums)
    return renamed


def _told(group: _Group, apps: set[str], labels: set[str]) -> _Group:
    """Return the group as it is told apart: by its names, or as one of the others."""
    app, text = group[_APP], group[_TEXT]
    if app in apps or text in labels:
        return (*group[:_APP], OTHERS if app in apps else app, OTHERS if text in labels else text)
    return group


def _labels(tags: str) -> tuple[str, ...]:
    named = [label(f"{name}={value}") for name, value in _read_tags(tags).items()]
    return tuple(dict.fromkeys(named))[:MOST_TAGS]


def _fitted(row: Sequence[int]) -> Iterable[int]:
    return row if max(row) <= MOST and min(row) >= -MOST else map(fitting, row)


def _series(face: Face, group: _Group) -> int:
    """Return the id of a series. It follows from what it is, so that nobody has to ask."""
    name = "\x1f".join((_KEPT_AS[face], *group[1:])).encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)


_KEY, _APP, _TEXT = 2, 7, 8
_KEPT_AS = {face: str(int(Face.HOURLY if face is Face.DAILY else face)) for face in Face}
_LATENCY, _GENERATION, _THROUGHPUT = (
    speed.value << 8 for speed in (Speed.LATENCY, Speed.GENERATION, Speed.THROUGHPUT)
)
_QUICK = 2048
_FIRST = tuple(bucket(value) for value in range(_QUICK))
"""The buckets of most milliseconds, so that no logarithm is needed."""
