"""What a caller may wish of providers, and what is said of a wish that cannot be read."""

import json
from typing import Any

import pytest
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.core.money import PicoUsd
from dragoman.wire.preferences import MaxPrice, Preferences
from dragoman.wire.provider_object import ProviderFields, parse_provider


def parse(**fields: Any) -> Preferences:
    preferences, ignored = parse_provider(Raw(json.dumps(fields).encode()))
    assert ignored == ()
    return preferences


def refusal(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_provider(Raw(text.encode()))
    return caught.value.message


def test_no_wishes_are_the_defaults() -> None:
    assert parse() == Preferences()
    assert parse_provider(Raw(b"null")) == (Preferences(), ())
    assert parse(**dict.fromkeys(ProviderFields.__struct_fields__)) == Preferences()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order": ["b", "a", "b"]}, Preferences(order=("b", "a"))),
        ({"only": ["OpenAI", "x/turbo"]}, Preferences(only=("OpenAI", "x/turbo"))),
        ({"ignore": ["a"], "only": ["a"]}, Preferences(ignore=("a",), only=("a",))),
        ({"only": []}, Preferences()),
        ({"allow_fallbacks": False}, Preferences(allow_fallbacks=False)),
        ({"allow_fallbacks": True}, Preferences()),
        ({"require_parameters": True}, Preferences(require_parameters=True)),
        ({"data_collection": "deny"}, Preferences(deny_data_collection=True)),
        ({"data_collection": "allow"}, Preferences()),
        ({"zdr": True}, Preferences(zdr=True)),
        ({"enforce_distillable_text": True}, Preferences(distillable=True)),
        (
            {"quantizations": ["fp8", "unknown"]},
            Preferences(quantizations=frozenset({"fp8", "unknown"})),
        ),
        ({"sort": "throughput"}, Preferences(sort="throughput")),
        ({"sort": "exacto"}, Preferences(sort="exacto")),
        ({"sort": {"by": "latency"}}, Preferences(sort="latency")),
        (
            {"sort": {"by": "price", "partition": "none"}},
            Preferences(sort="price", partition="none"),
        ),
        ({"sort": {"partition": "model"}}, Preferences(partition="model")),
        ({"preferred_min_throughput": 50}, Preferences(min_throughput=(("p50", 50),))),
        (
            {"preferred_min_throughput": {"p99": 10, "p50": 80.5, "p75": None}},
            Preferences(min_throughput=(("p50", 80.5), ("p99", 10))),
        ),
        ({"preferred_max_latency": 1.5}, Preferences(max_latency=(("p50", 1.5),))),
        ({"preferred_max_latency": {"p90": 3}}, Preferences(max_latency=(("p90", 3),))),
        ({"preferred_max_latency": {}}, Preferences()),
        ({"max_price": {}}, Preferences(max_price=MaxPrice())),
    ],
)
def test_wishes_are_read(fields: dict[str, Any], expected: Preferences) -> None:
    assert parse(**fields) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ({"prompt": 1}, MaxPrice(prompt=PicoUsd(1_000_000))),
        ({"completion": "2.50"}, MaxPrice(completion=PicoUsd(2_500_000))),
        (
            {"prompt": 0.1, "completion": 0},
            MaxPrice(prompt=PicoUsd(100_000), completion=PicoUsd(0)),
        ),
        ({"prompt": "0.0000019"}, MaxPrice(prompt=PicoUsd(1))),
        ({"prompt": "1e-999999999"}, MaxPrice(prompt=PicoUsd(0))),
        ({"request": 0.01}, MaxPrice(request=PicoUsd(10_000_000_000))),
        ({"image": "0.02"}, MaxPrice(image=PicoUsd(20_000_000_000))),
        ({"audio": 1}, MaxPrice(audio=PicoUsd(1_000_000_000_000))),
        ({"prompt": None}, MaxPrice()),
    ],
)
def test_prices_become_pico_dollars_for_one_unit(price: dict[str, Any], expected: MaxPrice) -> None:
    assert parse(max_price=price).max_price == expected


@pytest.mark.parametrize(
    "amount", ["-1", "abc", "", "NaN", "Infinity", "1e999999999999999999999", "1e400", "1000000001"]
)
def test_text_that_is_no_price_is_refused(amount: str) -> None:
    message = refusal(json.dumps({"max_price": {"prompt": amount}}))
    assert message == "provider.max_price.prompt: must be an amount of USD, 0 or more"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"max_price":{"prompt":-1}}',
            "provider.max_price.prompt: must be a number of at least 0",
        ),
        (
            '{"max_price":{"image":true}}',
            "provider.max_price.image: must be a number of at least 0",
        ),
        (
            '{"max_price":{"image":1e300}}',
            "provider.max_price.image: must be an amount of USD, 0 or",
        ),
        ('{"max_price":1}', "provider.max_price: must be an object"),
        ('{"order":"openai"}', "provider.order: must be an array of at most 200 items"),
        ('{"order":[1]}', "provider.order.0: must be a string of 1 to 128 characters"),
        ('{"only":["a",""]}', "provider.only.1: must be a string of 1 to 128 characters"),
        ('{"ignore":{}}', "provider.ignore: must be an array of at most 200 items"),
        ('{"allow_fallbacks":"no"}', "provider.allow_fallbacks: must be a boolean"),
        ('{"zdr":1}', "provider.zdr: must be a boolean"),
        (
            '{"data_collection":"maybe"}',
            'provider.data_collection: Invalid option: expected one of "allow"|"deny"',
        ),
        ('{"quantizations":["q4"]}', "provider.quantizations.0: Invalid option: expected one of "),
        (
            '{"sort":"cheapest"}',
            'provider.sort: must be one of "exacto"|"latency"|"price"|"throughput" or an object',
        ),
        (
            '{"sort":{"partition":"all"}}',
            'provider.sort.partition: Invalid option: expected one of "model"|"none"',
        ),
        (
            '{"preferred_max_latency":-1}',
            "provider.preferred_max_latency: must be a number between 0 and 1000000 or an object",
        ),
        (
            '{"preferred_min_throughput":{"p50":"fast"}}',
            "provider.preferred_min_throughput.p50: must be a number between 0 and 1000000",
        ),
        ("[]", "provider: must be an object"),
        ('{"zdr":true,"zdr":false}', "provider.zdr: given more than once"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused_by_name(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_members_nobody_knows_are_named() -> None:
    value = Raw(b'{"options":{"openai":{}},"zdr":true,"mood":"good"}')
    assert parse_provider(value) == (Preferences(zdr=True), ("provider.options", "provider.mood"))
