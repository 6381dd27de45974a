"""The bodies of `GET /key` and `GET /generation`, read by eye and by the official client."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from openrouter.components import GenerationResponse
from openrouter.operations import GetCurrentKeyResponse

from dragoman.access import keyring
from dragoman.core.errors import NotFound
from dragoman.core.money import NanoUsd
from dragoman.office import keys
from dragoman.office.generations import generation
from dragoman.office.key_info import describe, key_info
from dragoman.records.reader import KeyUsage, Reader
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from dragoman.store.custody import Pepper
from dragoman.store.sql import Database
from tests.records.samples import DAY_S, FULL, NOON, PLAIN, sample

Record = Callable[[Generation], Awaitable[None]]

SHOWN: dict[str, Any] = {
    "id": FULL.id,
    "session_id": "session",
    "api_type": "completions",
    "created_at": "2024-06-20T12:00:00+00:00",
    "model": "acme/turbo",
    "provider_name": "Acme",
    "upstream_id": "chatcmpl-1",
    "service_tier": "flex",
    "data_region": "global",
    "is_byok": False,
    "streamed": True,
    "cancelled": True,
    "finish_reason": "stop",
    "native_finish_reason": "STOP",
    "latency": 120,
    "generation_time": 900,
    "tokens_prompt": 10,
    "tokens_completion": 5,
    "native_tokens_prompt": 10,
    "native_tokens_completion": 5,
    "native_tokens_reasoning": 2,
    "native_tokens_cached": 3,
    "native_tokens_completion_images": 1,
    "usage": 1.5e-6,
    "total_cost": 1.5e-6,
    "upstream_inference_cost": 0.25,
    "origin": "https://example.org/",
    "http_referer": "https://example.org/",
    "user_agent": "test/1",
    "external_user": "user-1",
    "provider_responses": [
        {
            "endpoint_id": "acme/turbo@slow",
            "model_permaslug": "acme/turbo",
            "provider_name": "Slow",
            "status": None,
            "latency": 30000,
            "is_byok": False,
        },
        {
            "id": "chatcmpl-1",
            "endpoint_id": "acme/turbo@acme",
            "model_permaslug": "acme/turbo",
            "provider_name": "Acme",
            "status": 200,
            "latency": 120,
            "is_byok": False,
        },
    ],
    "notes": [
        {
            "change": "dropped",
            "field": "top_k",
            "detail": "not known to Acme",
            "provider": "acme",
        }
    ],
    "attempts": [msgspec.to_builtins(attempt) for attempt in FULL.attempts],
    "usage_source": "estimated",
    "price_version": "0123456789abcdef",
}
"""What `FULL` looks like; every other field is null."""


@pytest.fixture
def record(records_db: Database) -> Record:
    async def written(made: Generation) -> None:
        await records_db.run(lambda connection: store(connection, [made]))

    return written


@pytest.fixture
def reader(records_db: Database) -> Reader:
    return Reader(records_db)


def on_the_wire(body: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(body))["data"]


@pytest.fixture
async def key_hash(ledger: Database, pepper: Pepper) -> str:
    _, key = await ledger.run(keys.create("laptop", prefix="sk-dm-v1-", pepper=pepper, now=0.0))
    return key.hash


async def test_a_key_learns_what_it_has_used(
    ledger: Database, record: Record, reader: Reader, key_hash: str
) -> None:
    for number, days_ago in enumerate((0, 1, 10, 100)):
        made = sample(number, key_hash=key_hash, created_at=NOON - days_ago * DAY_S)
        await record(replace(made, cost_nanos=NanoUsd(500_000_000)))
    body = await key_info(ledger, reader, key_hash, NOON)
    row = await ledger.read(keyring.by_hash(key_hash))
    assert row is not None
    assert on_the_wire(body) == {
        "label": row.label,
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "include_byok_in_limit": False,
        "usage": 2.0,
        "usage_daily": 0.5,
        "usage_weekly": 1.0,
        "usage_monthly": 1.5,
        "byok_usage": 0.0,
        "byok_usage_daily": 0.0,
        "byok_usage_weekly": 0.0,
        "byok_usage_monthly": 0.0,
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "creator_user_id": None,
        "expires_at": None,
        "rate_limit": {
            "requests": -1,
            "interval": "10s",
            "note": "This field is deprecated and safe to ignore.",
        },
        "organization_id": None,
        "workspace_id": None,
        "allowed_data_regions": ["global"],
        "free_model_daily_requests": {"used": 0, "limit": -1, "remaining": -1},
        "budgets": [],
        "effective_budget": None,
    }


@pytest.mark.parametrize(
    ("limit", "used", "shown"),
    [(10, 4, (10e-9, 6e-9)), (10, 14, (10e-9, 0.0)), (0, 0, (0.0, 0.0)), (None, 4, (None, None))],
)
async def test_a_limit_is_a_number_of_dollars_or_null(
    ledger: Database,
    key_hash: str,
    limit: int | None,
    used: int,
    shown: tuple[float | None, float | None],
) -> None:
    row = await ledger.read(keyring.by_hash(key_hash))
    assert row is not None
    info = describe(replace(row, limit_nanos=limit), KeyUsage(total=NanoUsd(used)))
    assert (info.limit, info.limit_remaining) == shown


async def test_a_key_that_is_gone_knows_nothing(ledger: Database, reader: Reader) -> None:
    with pytest.raises(NotFound):
        await key_info(ledger, reader, "0" * 64, NOON)


async def test_a_generation_tells_all_that_is_known_of_it(record: Record, reader: Reader) -> None:
    await record(FULL)
    shown = on_the_wire(await generation(reader, FULL.id, key_hash=None))
    assert {name: shown[name] for name in SHOWN} == SHOWN
    assert all(value is None for name, value in shown.items() if name not in SHOWN)


async def test_a_request_that_reached_no_model_still_has_its_record(
    record: Record, reader: Reader
) -> None:
    failed = replace(PLAIN, model=None, provider=None, provider_name=None, status=404)
    await record(failed)
    body = await generation(reader, failed.id, key_hash=failed.key_hash)
    assert body.data.model == "acme/turbo"
    assert body.data.origin == ""
    assert body.data.provider_responses == ()


@pytest.mark.parametrize("id_", ["gen-0", "", "x" * 1000, "ü", "a\0b", PLAIN.id])
async def test_what_does_not_exist_or_is_somebody_elses_is_404(
    record: Record, reader: Reader, id_: str
) -> None:
    await record(PLAIN)
    with pytest.raises(NotFound):
        await generation(reader, id_, key_hash="somebody else")


@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
@pytest.mark.parametrize("made", [PLAIN, FULL])
async def test_the_official_client_reads_both_bodies(
    ledger: Database, record: Record, reader: Reader, key_hash: str, made: Any
) -> None:
    await record(made)
    found = msgspec.json.encode(await generation(reader, made.id, key_hash=None))
    assert GenerationResponse.model_validate_json(found).data.id == made.id
    info = msgspec.json.encode(await key_info(ledger, reader, key_hash, NOON))
    assert GetCurrentKeyResponse.model_validate_json(info).data.rate_limit.requests == -1
