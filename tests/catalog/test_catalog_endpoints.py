"""The rows of endpoints and providers: everything is shown, with its status and what is known."""

from typing import Any

import pytest
from openrouter.operations import ListEndpointsZdrResponse

from dragoman.catalog import listing
from dragoman.catalog.rows import Measured, Spread
from dragoman.catalog.types import Catalog, DataPolicy, Provider
from tests.catalog.models import CHEAP, FREE, body, catalog, endpoint, model


@pytest.mark.parametrize(
    ("fields", "measured", "status"),
    [
        ({}, Measured(), 0),
        ({}, Measured(in_outage=True), -5),
        ({"configured": False}, Measured(in_outage=True), -1),
        ({"status": "deprecated", "configured": False}, Measured(), -2),
        ({"status": "inactive"}, Measured(), -3),
    ],
)
def test_an_endpoints_status(fields: dict[str, Any], measured: Measured, status: int) -> None:
    told = listing.model_endpoints(model(endpoint("a", CHEAP, **fields)), lambda _: measured)
    assert told.endpoints[0].status == status


def test_what_was_measured_of_an_endpoint_is_shown() -> None:
    spread = Spread(p50=250.0, p75=300.0, p90=400.0, p99=1000.0)
    figures = Measured(
        uptime_5m=100.0, uptime_30m=99.5, uptime_1d=98.0, latency_ms=spread, throughput=spread
    )
    told = body(
        listing.model_endpoints(
            model(endpoint("a", CHEAP), endpoint("b", CHEAP)),
            lambda id_: figures if id_.startswith("a|") else Measured(),
        )
    )
    seen, unseen = told["endpoints"]
    assert (seen["uptime_last_5m"], seen["uptime_last_30m"], seen["uptime_last_1d"]) == (
        100.0,
        99.5,
        98.0,
    )
    assert seen["latency_last_30m"]["p50"] == seen["throughput_last_30m"]["p50"] == 250.0
    assert unseen["uptime_last_1d"] is unseen["latency_last_30m"] is None


def test_endpoints_that_retain_nothing_are_listed_configured_or_not() -> None:
    told = catalog(
        model(
            endpoint("a", CHEAP, policy=DataPolicy(zdr=True), configured=False),
            endpoint("b", CHEAP, policy=DataPolicy(zdr=False)),
            endpoint("c", CHEAP),
        )
    )
    answer = body({"data": listing.zdr_rows(told)})
    assert [row["tag"] for row in answer["data"]] == ["a"]
    assert ListEndpointsZdrResponse.model_validate(answer).data[0].tag == "a"


def test_an_endpoint_row_says_what_is_unknown_in_the_sdks_way() -> None:
    told = listing.model_endpoints(
        model(
            endpoint("a", None),
            endpoint(
                "b",
                CHEAP,
                configured=False,
                supports=frozenset({"tool_choice"}),
                quantization="fp8",
            ),
            endpoint("c", FREE, free=True),
        )
    )
    bare, full, free = body(told)["endpoints"]
    assert (bare["context_length"], bare["pricing"]) == (0, {"prompt": "-1", "completion": "-1"})
    assert (bare["status"], bare["configured"], bare["supports_implicit_caching"]) == (
        0,
        True,
        False,
    )
    assert (full["status"], full["configured"], full["supports_implicit_caching"]) == (
        -1,
        False,
        True,
    )
    assert full["supports_tool_choice"] == dict.fromkeys(
        ("auto", "none", "required", "function"), True
    )
    assert (full["name"], full["quantization"]) == ("B | meta-llama/llama-4-x", "fp8")
    assert free["model_id"] == "meta-llama/llama-4-x:free"


def test_a_provider_row() -> None:
    row = Provider(
        slug="acme",
        name="Acme",
        dialect="openai",
        base_url="http://h",
        datacenters=("DE",),
        headquarters="DE",
        terms_url="https://acme.example/terms",
    )
    told = listing.provider_rows(Catalog(models={}, providers={"acme": row}))
    assert body(told) == [
        {
            "name": "Acme",
            "slug": "acme",
            "privacy_policy_url": None,
            "terms_of_service_url": "https://acme.example/terms",
            "status_page_url": None,
            "headquarters": "DE",
            "datacenters": ["DE"],
        }
    ]
