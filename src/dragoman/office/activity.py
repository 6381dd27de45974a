"""`GET /activity`: the last thirty complete days, per day, model and endpoint.

Source: OpenRouter's OpenAPI document, `/activity`. Today is never in it. There is one
workspace, to which everything belongs.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from re import fullmatch

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection

from dragoman.access import members
from dragoman.core.errors import InvalidRequest, NotFound
from dragoman.core.money import NanoUsd, usd
from dragoman.office.key_bodies import DEFAULT_WORKSPACE
from dragoman.records.questions import Answer, Filter, Question
from dragoman.store.sql import Work

DAYS = 30
HASH = r"[0-9a-f]{64}"
METRICS = (
    "request_count",
    "tokens_prompt",
    "tokens_completion",
    "reasoning_tokens",
    "credits_usage",
    "byok_usage",
)
"""What a row is made of."""


class ActivityRow(Struct, frozen=True, kw_only=True):
    """What an endpoint served on a day. Sums are USD; reasoning is part of completion."""

    date: str
    model: str
    model_permaslug: str
    endpoint_id: str
    provider_name: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    usage: float
    byok_usage_inference: float
    workspace_id: str | UnsetType = UNSET


class ActivityBody(Struct, frozen=True):
    """The whole body."""

    data: list[ActivityRow]


def keys_of_member(account: str, id_: str) -> Work[tuple[str, ...]]:
    """Read the hashes of all keys that a member of the account ever had. Raises NotFound."""

    def work(connection: Connection) -> tuple[str, ...]:
        found = members.by_id(connection, id_)
        if found is None or found.account != account:
            raise NotFound("user_id: there is no such member")
        return members.keys_of(account, id_)(connection)

    return work


def activity_question(
    query: Mapping[str, str], account: str, now: float, keys: tuple[str, ...] | None = None
) -> Question:
    """Return what the parameters ask, of these keys alone unless None.

    Raises InvalidRequest, and NotFound for what is not here.
    """
    if query.get("workspace_id", DEFAULT_WORKSPACE) != DEFAULT_WORKSPACE:
        raise NotFound("workspace_id: there is no such workspace")
    if query.get("group_by", "workspace") != "workspace":
        raise InvalidRequest("group_by: only workspace can be given")
    today = datetime.fromtimestamp(now, UTC).date()
    first, last = today - timedelta(days=DAYS), today - timedelta(days=1)
    if "date" in query:
        first = last = _day(query["date"], first, last)
    key_hash = query.get("api_key_hash")
    if key_hash is not None and not fullmatch(HASH, key_hash):
        raise InvalidRequest("api_key_hash: give the SHA-256 of a key in hex, as GET /keys does")
    only = () if key_hash is None else (_of_keys(key_hash),)
    if keys is not None:
        only = (*only, _of_keys(*keys))
    return Question(
        account=account,
        metrics=METRICS,
        dimensions=("model", "variant", "endpoint", "provider"),
        granularity="day",
        start=_start(first),
        end=_start(last + timedelta(days=1)),
        filters=only,
    )


def activity_body(answer: Answer, *, by_workspace: bool) -> ActivityBody:
    """Return the body, the latest day first."""
    rows = []
    for line in answer.lines:
        model, variant, endpoint, provider = (str(each or "") for each in line.values)
        if not endpoint:
            continue  # refused before any endpoint was asked
        slug = model if variant in {"", "standard"} else f"{model}:{variant}"
        totals = line.totals
        rows.append(
            ActivityRow(
                date=datetime.fromtimestamp(line.at or 0, UTC).date().isoformat(),
                model=slug,
                model_permaslug=slug,
                endpoint_id=endpoint,
                provider_name=provider,
                requests=totals.of("requests"),
                prompt_tokens=totals.of("prompt_tokens"),
                completion_tokens=totals.of("completion_tokens"),
                reasoning_tokens=totals.of("reasoning_tokens"),
                usage=usd(NanoUsd(totals.of("cost_nanos"))),
                byok_usage_inference=usd(NanoUsd(totals.of("byok_cost_nanos"))),
                workspace_id=DEFAULT_WORKSPACE if by_workspace else UNSET,
            )
        )
    rows.sort(key=lambda row: (row.model, row.endpoint_id))
    rows.sort(key=lambda row: row.date, reverse=True)
    return ActivityBody(rows)


def _of_keys(*hashes: str) -> Filter:
    return Filter(field="api_key_id", operator="in", values=hashes)


def _day(text: str, first: date, last: date) -> date:
    try:
        day = date.fromisoformat(text) if fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        day = None
    if day is None or not first <= day <= last:
        raise InvalidRequest(f"date: give a complete UTC day from {first} to {last}")
    return day


def _start(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
