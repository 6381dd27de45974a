"""Activity, analytics and export over HTTP: OpenRouter's shapes, one account, clear refusals."""

import csv
import io
import json
import threading
import time
from typing import Any

import pytest
from fastapi import Response
from msgspec.structs import replace

from dragoman.core.ids import key_hash
from dragoman.records.questions import bucket_start
from dragoman.web import record_routes
from dragoman.web.responses import json_response
from tests.records.samples import PLAIN
from tests.web.asgi import Client
from tests.web.plane import Plane

DAY_S = 86_400


@pytest.fixture
async def managed(plane: Plane) -> Plane:
    """A plane whose key manages, with some days of work by three keys in two accounts."""
    hash_ = key_hash(plane.key)
    plane.keeper.keys[hash_] = replace(plane.keeper.keys[hash_], kind="management")
    today = bucket_start(time.time(), "day")
    for number, (days, key, account) in enumerate(
        [(0, "1", "default"), (1, "1", "default"), (1, "2", "default"), (2, "3", "other")]
    ):
        await plane.record(
            replace(
                PLAIN,
                id=f"gen-{number}",
                created_at=today - days * DAY_S,
                key_hash=key * 64,
                account=account,
                title="=App",
            )
        )
    return plane


async def query(plane: Plane, **body: Any) -> Client:
    client = Client(
        json.dumps(body).encode(),
        {"authorization": f"Bearer {plane.key}"},
        method="POST",
        path="/v1/analytics/query",
    )
    return await client.of(plane.serve)


PATHS = ("/v1/activity", "/v1/analytics/meta", "/v1/generations/export")


@pytest.mark.parametrize("path", PATHS)
async def test_an_inference_key_reads_no_records(plane: Plane, path: str) -> None:
    assert (await plane.get_keyed(path)).status == 403
    assert (await plane.get(path)).status == 401
    assert (await query(plane, metrics=["request_count"])).status == 403


async def test_activity_has_complete_days_of_ones_own_account(managed: Plane) -> None:
    rows = (await managed.get_keyed("/v1/activity")).json()["data"]
    assert [(row["requests"], row["model"], row["endpoint_id"]) for row in rows] == [
        (2, "acme/turbo", "acme/turbo@acme")
    ]
    assert rows[0]["usage"] == pytest.approx(3e-6)
    assert "workspace_id" not in rows[0]
    split = (await managed.get_keyed("/v1/activity?group_by=workspace")).json()["data"]
    assert len(split[0]["workspace_id"]) == 36
    one = (await managed.get_keyed(f"/v1/activity?api_key_hash={'2' * 64}")).json()["data"]
    assert [row["requests"] for row in one] == [1]
    day = (await managed.get_keyed(f"/v1/activity?date={rows[0]['date']}")).json()["data"]
    assert day == rows


async def test_activity_of_a_member_is_that_of_the_members_keys(managed: Plane) -> None:
    await managed.join("user_1", "default", "2" * 64, "4" * 64)
    await managed.join("user_2", "default")
    path = "/v1/activity?user_id=user_1"
    assert [row["requests"] for row in (await managed.get_keyed(path)).json()["data"]] == [1]
    both = await managed.get_keyed(f"{path}&api_key_hash={'1' * 64}")
    none = await managed.get_keyed("/v1/activity?user_id=user_2")
    assert both.json() == none.json() == {"data": []}


@pytest.mark.parametrize("path", ["/v1/generations/export?provider=%00", "/v1/keys?account=%00"])
async def test_a_nul_that_no_database_takes_is_400(managed: Plane, path: str) -> None:
    assert (await managed.get_keyed(path)).status == 400


async def test_a_query_that_no_database_takes_is_400(managed: Plane) -> None:
    named = [{"field": "session_id", "operator": "in", "value": ["a", "b\0"]}]
    client = await query(managed, metrics=["request_count"], filters=named)
    assert (client.status, "NUL" in client.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("date=today", 400),
        ("date=2001-01-01", 400),
        ("api_key_hash=x", 400),
        ("group_by=model", 400),
        ("user_id=user_1", 404),
        ("user_id=user_2", 404),
        ("user_id=%00", 400),
        ("workspace_id=none", 404),
    ],
)
async def test_activity_refuses_what_it_does_not_know(
    managed: Plane, asked: str, status: int
) -> None:
    await managed.join("user_2", "other")
    assert (await managed.get_keyed(f"/v1/activity?{asked}")).status == status


async def test_long_answers_are_made_apart_from_the_event_loop(
    managed: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[threading.Thread] = []

    def response(body: Any) -> Response:
        made.append(threading.current_thread())
        return json_response(body)

    monkeypatch.setattr(record_routes, "json_response", response)
    assert (await managed.get_keyed("/v1/activity")).status == 200
    assert (await query(managed, metrics=["request_count"])).status == 200
    assert len(made) == 2
    assert threading.current_thread() not in made


async def test_a_query_is_answered_in_the_shape_of_the_spec(managed: Plane) -> None:
    client = await query(
        managed,
        metrics=["request_count", "total_usage", "p99_latency"],
        dimensions=["model"],
        granularity="day",
        order_by={"field": "date", "direction": "asc"},
    )
    data = client.json()["data"]
    assert data["metadata"]["row_count"] == 2
    assert data["metadata"]["truncated"] is False
    assert data["data"][0]["date__day"].endswith("T00:00:00.000Z")
    assert [row["request_count"] for row in data["data"]] == ["2", "1"]
    assert data["data"][0]["p99_latency"] is None


async def test_rows_are_cut_at_the_limit_and_say_so(managed: Plane) -> None:
    client = await query(managed, metrics=["request_count"], dimensions=["api_key_id"], limit=1)
    data = client.json()["data"]
    assert data["metadata"]["truncated"] is True
    assert data["data"] == [{"api_key_id": "1" * 64, "request_count": "2"}]
    grouped = await query(
        managed,
        metrics=["request_count"],
        dimensions=["api_key_id"],
        granularity="day",
        group_limit=1,
    )
    assert grouped.json()["data"]["metadata"] | {"query_time_ms": 0} == {
        "query_time_ms": 0,
        "row_count": 2,
        "truncated": True,
    }


async def test_a_key_that_is_not_ones_own_is_warned_of(managed: Plane) -> None:
    only = {"field": "api_key_id", "operator": "eq", "value": "3" * 64}
    data = (await query(managed, metrics=["request_count"], filters=[only])).json()["data"]
    assert data["data"] == []
    assert "there is no key 333" in " ".join(data["warnings"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Invalid request parameters: metrics: is required"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["request_cuont"]}, "request_count"),
        ({"metrics": ["error_rate"], "dimensions": ["model", "app", "tag"]}, "dimensions"),
        ({"metrics": ["error_rate"], "dimensions": ["planet"]}, "planet"),
        ({"metrics": ["error_rate"], "granularity": "year"}, "granularity"),
        ({"metrics": ["error_rate"], "limit": 10_001}, "limit"),
        ({"metrics": ["error_rate"], "order_by": {"field": "x", "direction": "asc"}}, "order_by"),
        ({"metrics": ["error_rate"], "classifier_filters": {}}, "classifier"),
        (
            {"metrics": ["error_rate"], "time_range": {"start": "2024-02-01", "end": "now"}},
            "time_range",
        ),
        (
            {
                "metrics": ["error_rate"],
                "time_range": {"start": "2024-02-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"},
            },
            "before",
        ),
        (
            {
                "metrics": ["error_rate"],
                "filters": [{"field": "model", "operator": "in", "value": "x"}],
            },
            "array",
        ),
        (
            {
                "metrics": ["error_rate"],
                "filters": [{"field": "model", "operator": "in", "value": []}],
            },
            "empty",
        ),
    ],
)
async def test_a_query_that_cannot_be_answered_is_told_why(
    managed: Plane, body: dict[str, Any], said: str
) -> None:
    client = await query(managed, **body)
    assert client.status == 400
    assert said in client.json()["error"]["message"]


async def test_meta_lists_what_a_query_takes(managed: Plane) -> None:
    data = (await managed.get_keyed("/v1/analytics/meta")).json()["data"]
    for metric in data["metrics"]:
        assert (await query(managed, metrics=[metric["name"]])).status == 200
    for dimension in data["dimensions"]:
        body = {"metrics": ["request_count"], "dimensions": [dimension["name"]]}
        assert (await query(managed, **body)).status == 200
    for granularity in data["granularities"]:
        body = {"metrics": ["request_count"], "granularity": granularity["name"]}
        expected = 400 if granularity["name"] == "minute" else 200
        assert (await query(managed, **body)).status == expected
    assert {each["name"] for each in data["operators"] if each["value_type"] == "array"} == {
        "in",
        "not_in",
    }


async def test_an_export_has_ones_own_generations_alone(managed: Plane) -> None:
    lines = (await managed.get_keyed("/v1/generations/export")).body.decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["gen-1", "gen-2", "gen-0"]
    text = (await managed.get_keyed("/v1/generations/export?format=csv")).body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["app"] == "'=App"
    assert float(rows[0]["cost_usd"]) == pytest.approx(1.5e-6)
    assert (await managed.get_keyed("/v1/generations/export?since=soon")).status == 400
    strange = await managed.get_keyed("/v1/generations/export?api_key=abc")
    assert strange.status == 400
    assert b"api_key: is not known; there are api_key_hash, format" in strange.body
    none = await managed.get_keyed("/v1/generations/export?since=2100-01-01T00:00:00Z")
    assert none.body == b""
