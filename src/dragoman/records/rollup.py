"""What many generations come to: sums and speeds per hour or day and per series. Pure.

A series is what generations have in common: an account, a model, an endpoint, and more or
less beyond, which is its face. The narrow face is kept per hour and per day, so that a
month of a busy installation is a few thousand rows; the wide ones are kept per day. A
generation adds to each face in which it can be seen; those that agree are added up first,
so that a busy moment costs little more than a quiet one.
"""

from array import array
from collections import Counter
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


Group = tuple[Any, ...]
"""An hour, the parts of a place, and a user or tag where the sums are of one.

It and the sums are plain tuples of plain values, which the garbage collector lets alone.
"""


class Share(Struct, frozen=True, gc=False):
    """What a generation adds: when, to which group, sums in the order of SUMS, speeds, labels."""

    at: float
    group: Group
    sums: tuple[int, ...]
    speeds: tuple[int, ...]
    user: str
    tags: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where it belongs."""
        return Place(*self.group[1:_TEXT])


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
            "title", "referer", "user", "tags", "status", "cancelled", "is_byok", "cost_nanos",
            "byok_nanos", "latency_ms", "generation_ms",
        ),
    )
)  # fmt: skip
_read_tags = msgspec.json.Decoder(dict[str, str]).decode
EPOCH = date(1970, 1, 1).toordinal()


def share(line: Line) -> Share:
    """Return what a generation adds, of which this is the line."""
    (
        at, account, key_hash, model, provider, name, endpoint, title, referer, user, tags,
        status, cancelled, is_byok, cost, byok, latency, took,
    ) = _facts_of(line.row)  # fmt: skip
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
    group = (
        int(at) // HOUR_S * HOUR_S,
        account, key_hash, model or "", provider or "", name or "", endpoint or "", app, "",
    )  # fmt: skip
    labels = () if tags == "{}" else _labels(tags)
    return Share(at, group, sums, speeds, label(user) if user else "", labels)


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


class _Added(Struct, gc=False):
    """What was added up of one group: its sums, every speed that was reached, its latest."""

    sums: tuple[int, ...]
    speeds: "array[int]"
    latest: float


_Seen = dict[Group, _Added]


class Sums:
    """What generations come to, as they are added one by one, until it is made into rows."""

    def __init__(self) -> None:
        self._keys: _Seen = {}
        self._users: _Seen = {}
        self._tags: _Seen = {}
        self.generations = 0
        """How many were added."""

    def __len__(self) -> int:
        """Return about how many rows it makes."""
        return len(self._keys) + len(self._users) + len(self._tags)

    def add(self, each: Share) -> None:
        """Add what a generation adds."""
        self.generations += 1
        group = each.group
        _add(self._keys, group, each)
        if each.user:
            _add(self._users, (*group[:_TEXT], each.user), each)
        for tag in each.tags:
            _add(self._tags, (*group[:_TEXT], tag), each)

    def names(self) -> tuple[set[str], set[str], set[str]]:
        """Return the names of apps, users and tags that occur."""
        apps = {group[_APP] for group in self._keys}
        users = {group[_TEXT] for group in self._users}
        return apps - {""}, users, {group[_TEXT] for group in self._tags}

    def rolled(self, lost: tuple[set[str], set[str], set[str]]) -> Rolled:
        """Return the rows, in which each of the `lost` names of apps, users, tags is OTHERS."""
        apps, users, tags = lost
        rows = _Rows()
        keys = _renamed(self._keys, apps, set())
        narrow: _Seen = {}
        for group, added in keys.items():
            rows.add(Face.KEYS, group, added)
            _take(narrow, _narrowed(group), added)
        for group, added in narrow.items():
            rows.add(Face.HOURLY, group, added)
        for group, added in _renamed(self._users, apps, users).items():
            rows.add(Face.USERS, group, added)
        for group, added in _renamed(self._tags, apps, tags).items():
            rows.add(Face.TAGS, group, added)
        return rows.rolled(_usage(keys))


class _Rows:
    """Rows as they grow."""

    def __init__(self) -> None:
        self._series: dict[int, tuple[Any, ...]] = {}
        self._sums: dict[tuple[int, int, int], Sequence[int]] = {}
        self._speeds: dict[tuple[int, int, int, int], int] = {}

    def add(self, face: Face, group: Group, added: _Added) -> None:
        """Add to the rows of a day, in the narrow face to those of the hour, too."""
        id_ = _series(face, group)
        self._series[id_] = (id_, *group[1:])
        counts = _counts(added.speeds)
        all_sums, speeds = self._sums, self._speeds
        for key in _spans(face, group[0], id_):
            total = all_sums.get(key)
            all_sums[key] = added.sums if total is None else [*map(add, total, added.sums)]
            for code, count in counts.items():
                of_code = (*key, code)
                speeds[of_code] = speeds.get(of_code, 0) + count

    def rolled(self, usage: list[tuple[Any, ...]]) -> Rolled:
        """Return all rows."""
        return Rolled(
            series=[self._series[id_] for id_ in sorted(self._series)],
            sums=[(*key, *_fitted(self._sums[key])) for key in sorted(self._sums)],
            speeds=[(*key, self._speeds[key]) for key in sorted(self._speeds)],
            usage=usage,
        )


def _add(seen: _Seen, group: Group, each: Share) -> None:
    """Add what a generation adds to a group."""
    found = seen.get(group)
    if found is None:
        seen[group] = _Added(each.sums, array("H", each.speeds), each.at)
        return
    found.sums = tuple(map(add, found.sums, each.sums))
    found.speeds.extend(each.speeds)
    found.latest = max(found.latest, each.at)


def _take(into: _Seen, group: Group, more: _Added) -> None:
    """Add what was added up of one group to another."""
    found = into.get(group)
    if found is None:
        into[group] = _Added(more.sums, more.speeds[:], more.latest)
        return
    found.sums = tuple(map(add, found.sums, more.sums))
    found.speeds += more.speeds
    found.latest = max(found.latest, more.latest)


def _counts(speeds: "array[int]") -> Mapping[int, int]:
    """Return how often which was reached. Those of a single generation are of different kinds."""
    return dict.fromkeys(speeds, 1) if len(speeds) <= len(Speed) else Counter(speeds)


def _usage(keys: _Seen) -> list[tuple[Any, ...]]:
    """Return the rows of `key_usage`."""
    totals: dict[tuple[str, int], tuple[Sequence[int], float]] = {}
    for group, added in keys.items():
        used = (group[_KEY], group[0] // DAY_S)
        sums, latest = _used_of(added.sums), added.latest
        if (there := totals.get(used)) is not None:
            sums, latest = tuple(map(add, there[0], sums)), max(there[1], latest)
        totals[used] = (sums, latest)
    return [
        (key_hash, date.fromordinal(EPOCH + day), *_fitted(sums), latest)
        for (key_hash, day), (sums, latest) in sorted(totals.items(), key=itemgetter(0))
    ]


def _spans(face: Face, hour: int, id_: int) -> tuple[tuple[int, int, int], ...]:
    """Return the keys of the rows in which an hour of a series is."""
    day = hour // DAY_S * DAY_S
    return ((1, hour, id_), (2, day, id_)) if face is Face.HOURLY else ((int(face), day, id_),)


def _narrowed(group: Group) -> Group:
    return (group[0], group[1], "", group[3], group[4], group[5], group[6], "", "")


def _renamed(groups: _Seen, apps: set[str], labels: set[str]) -> _Seen:
    """Return the groups with the names of some apps and labels replaced, added up again."""
    if not apps and not labels:
        return groups
    renamed: _Seen = {}
    for group, added in groups.items():
        _take(renamed, _told(group, apps, labels), added)
    return renamed


def _told(group: Group, apps: set[str], labels: set[str]) -> Group:
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


def _series(face: Face, group: Group) -> int:
    """Return the id of a series. It follows from what it is, so that nobody has to ask."""
    name = "\x1f".join((_KEPT_AS[face], *group[1:])).encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)


_KEY, _APP, _TEXT = 2, 7, 8
_used_of: Callable[[Sequence[int]], tuple[int, ...]] = itemgetter(
    *map(
        SUMS.index,
        ("requests", "prompt_tokens", "completion_tokens", "cost_nanos", "byok_cost_nanos"),
    )
)
_KEPT_AS = {face: str(int(Face.HOURLY if face is Face.DAILY else face)) for face in Face}
_LATENCY, _GENERATION, _THROUGHPUT = (
    speed.value << 8 for speed in (Speed.LATENCY, Speed.GENERATION, Speed.THROUGHPUT)
)
_QUICK = 2048
_FIRST = tuple(bucket(value) for value in range(_QUICK))
"""The buckets of most milliseconds, so that no logarithm is needed."""
