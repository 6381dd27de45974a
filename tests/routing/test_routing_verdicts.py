"""Each rule that keeps one endpoint from serving one request, and the figures it gives."""

from typing import Any

import pytest

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import DataPolicy, PriceTier
from dragoman.core.money import PicoUsd
from dragoman.routing.types import Drop
from dragoman.routing.verdicts import tokens_needed, verdict
from dragoman.wire.preferences import MaxPrice
from tests.routing.endpoints import TARGET, ask, endpoint, price, wishing

FREE = Target(asked="acme/turbo:free", model="acme/turbo", free=True)
USD_1 = PicoUsd(1_000_000)


def drop(wants: Ask, changes: dict[str, Any], target: Target = TARGET) -> Drop | None:
    found = verdict(endpoint(**changes), wants, target)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("changes", "target", "expected"),
    [
        ({}, TARGET, None),
        ({"free": True}, TARGET, Drop.ONLY_AS_FREE),
        ({"free": True}, FREE, None),
        ({}, FREE, Drop.NOT_FREE),
        ({"configured": False}, TARGET, Drop.NOT_CONFIGURED),
        ({"status": "inactive"}, TARGET, Drop.INACTIVE),
        ({"status": "deprecated"}, TARGET, Drop.DEPRECATED),
        ({"status": "inactive", "configured": False}, TARGET, Drop.INACTIVE),
        ({"default_route": False}, TARGET, Drop.NOT_DEFAULT_ROUTE),
        ({"default_route": False, "configured": False}, TARGET, Drop.NOT_CONFIGURED),
        ({"default_route": False}, FREE, Drop.NOT_FREE),
    ],
)
def test_what_the_installation_cannot_call_is_left_out(
    changes: dict[str, Any], target: Target, expected: Drop | None
) -> None:
    assert drop(ask(), changes, target) is expected


@pytest.mark.parametrize(
    ("wants", "changes", "expected"),
    [
        ({"inputs": frozenset({"text", "image"})}, {}, Drop.LACKS_INPUT),
        (
            {"inputs": frozenset({"text", "image"})},
            {"inputs": frozenset({"text", "image", "audio"})},
            None,
        ),
        ({}, {"outputs": frozenset({"embeddings"})}, Drop.LACKS_OUTPUT),
        ({"outputs": frozenset({"image"})}, {"outputs": frozenset({"text", "image"})}, None),
        ({"text_bytes": 600}, {"context": 100}, None),
        ({"text_bytes": 606}, {"context": 100}, Drop.CONTEXT_TOO_SMALL),
        ({"text_bytes": 600, "max_tokens": 1}, {"context": 100}, Drop.CONTEXT_TOO_SMALL),
        ({"text_bytes": 6_000_000}, {"context": None}, None),
        ({"max_tokens": 50}, {"max_output": 50}, None),
        ({"max_tokens": 51}, {"max_output": 50}, Drop.OUTPUT_TOO_SMALL),
        ({"max_tokens": 51}, {"max_output": None}, None),
        ({}, {"max_output": 1}, None),
    ],
)
def test_what_the_endpoint_cannot_do_is_left_out(
    wants: dict[str, Any], changes: dict[str, Any], expected: Drop | None
) -> None:
    assert drop(ask(**wants), changes) is expected


@pytest.mark.parametrize(
    ("wishes", "changes", "expected"),
    [
        ({"allowed_models": frozenset({"acme/turbo"})}, {}, None),
        ({"allowed_models": frozenset({"acme/other"})}, {}, Drop.NOT_ALLOWED),
        ({"allowed_providers": frozenset({"acme"})}, {"slug": "acme/fast"}, None),
        ({"allowed_providers": frozenset({"acme/fast"})}, {}, Drop.NOT_ALLOWED),
        ({"allowed_providers": frozenset({"bolt"}), "only": ("acme",)}, {}, Drop.NOT_ALLOWED),
        ({"only": ("bolt",)}, {}, Drop.NOT_IN_ONLY),
        ({"only": ("bolt", "acme")}, {}, None),
        ({"only": ("acme",)}, {"slug": "acme/fast"}, None),
        ({"only": ("acme/fast",)}, {"slug": "acme/fast"}, None),
        ({"only": ("acme/fast",)}, {"slug": "acme"}, Drop.NOT_IN_ONLY),
        ({"ignore": ("acme",)}, {}, Drop.IGNORED),
        ({"ignore": ("acme",)}, {"slug": "acme/fast"}, Drop.IGNORED),
        ({"ignore": ("acme/fast",)}, {}, None),
        ({"only": ("acme",), "ignore": ("acme",)}, {}, Drop.IGNORED),
        ({"only": ("acme",)}, {"default_route": False}, None),
        ({"only": ("bolt",)}, {"default_route": False}, Drop.NOT_IN_ONLY),
        ({"order": ("acme",)}, {"default_route": False}, None),
        ({"order": ("acme/fast",)}, {"slug": "acme/fast", "default_route": False}, None),
        ({"order": ("bolt",)}, {"default_route": False}, Drop.NOT_DEFAULT_ROUTE),
        ({"order": ("bolt",)}, {}, None),
        ({"order": ("bolt",), "allow_fallbacks": False}, {}, Drop.NOT_IN_ORDER),
        ({"order": ("acme",), "allow_fallbacks": False}, {}, None),
        ({"allow_fallbacks": False}, {}, None),
        ({"deny_data_collection": True}, {}, Drop.COLLECTS_DATA),
        ({"deny_data_collection": True}, {"policy": DataPolicy(trains=True)}, Drop.COLLECTS_DATA),
        ({"deny_data_collection": True}, {"policy": DataPolicy(trains=False)}, None),
        ({"zdr": True}, {}, Drop.NOT_ZDR),
        ({"zdr": True}, {"policy": DataPolicy(zdr=False)}, Drop.NOT_ZDR),
        ({"zdr": True}, {"policy": DataPolicy(zdr=True)}, None),
        ({"distillable": True}, {}, Drop.NOT_DISTILLABLE),
        ({"distillable": True}, {"distillable": True}, None),
        ({"quantizations": frozenset({"fp8"})}, {}, Drop.QUANTIZATION),
        ({"quantizations": frozenset({"unknown"})}, {}, None),
        ({"quantizations": frozenset({"fp8"})}, {"quantization": "mxfp8"}, None),
        ({"quantizations": frozenset({"mxfp8"})}, {"quantization": "fp8"}, Drop.QUANTIZATION),
        ({"quantizations": frozenset({"fp4"})}, {"quantization": "mxfp4"}, None),
        ({"quantizations": frozenset({"fp4"})}, {"quantization": "nvfp4"}, None),
        ({"quantizations": frozenset({"fp4"})}, {"quantization": "fp4"}, None),
        ({"max_price": MaxPrice()}, {"price": None}, None),
        ({"max_price": MaxPrice(prompt=USD_1)}, {"price": None}, Drop.PRICE_UNKNOWN),
        ({"max_price": MaxPrice(prompt=USD_1)}, {"price": price(1_000_000, 9_000_000)}, None),
        ({"max_price": MaxPrice(prompt=USD_1)}, {"price": price(1_000_001)}, Drop.OVER_MAX_PRICE),
        (
            {"max_price": MaxPrice(completion=USD_1)},
            {"price": price(1, 1_000_001)},
            Drop.OVER_MAX_PRICE,
        ),
        ({"max_price": MaxPrice(request=USD_1)}, {}, None),
        (
            {"max_price": MaxPrice(request=USD_1)},
            {"price": price(1, request=2_000_000)},
            Drop.OVER_MAX_PRICE,
        ),
        (
            {"max_price": MaxPrice(image=USD_1)},
            {"price": price(1, image=2_000_000)},
            Drop.OVER_MAX_PRICE,
        ),
        (
            {"max_price": MaxPrice(audio=USD_1)},
            {"price": price(1, audio=2_000_000)},
            Drop.OVER_MAX_PRICE,
        ),
        ({"max_price": MaxPrice(audio=USD_1)}, {"price": price(2_000_000)}, None),
    ],
)
def test_what_the_caller_does_not_want_is_left_out(
    wishes: dict[str, Any], changes: dict[str, Any], expected: Drop | None
) -> None:
    assert drop(wishing(**wishes), changes) is expected


@pytest.mark.parametrize(
    ("text_bytes", "expected"), [(6 * 100, None), (6 * 101, Drop.OVER_MAX_PRICE)]
)
def test_the_price_of_a_long_prompt_is_that_of_its_tier(
    text_bytes: int, expected: Drop | None
) -> None:
    tier = PriceTier(min_prompt_tokens=100, prompt=PicoUsd(2_000_000))
    limit = wishing(max_price=MaxPrice(prompt=USD_1)).preferences
    wants = ask(text_bytes=text_bytes, preferences=limit)
    assert drop(wants, {"price": price(1_000_000, tiers=(tier,))}) is expected


@pytest.mark.parametrize(
    ("sends", "supports", "expected"),
    [
        ({"seed"}, {"seed", "stop"}, None),
        ({"seed", "top_k"}, {"seed"}, Drop.LACKS_PARAMETER),
        ({"max_completion_tokens"}, {"max_tokens"}, None),
        ({"max_tokens"}, {"max_completion_tokens"}, None),
        ({"max_tokens"}, {"seed"}, Drop.LACKS_PARAMETER),
        ({"tools.bash_20250124"}, {"tools"}, Drop.LACKS_PARAMETER),
    ],
)
def test_parameters_count_only_when_required(
    sends: set[str], supports: set[str], expected: Drop | None
) -> None:
    changes = {"supports": frozenset(supports)}
    strict = wishing(require_parameters=True)
    wants = ask(parameters=frozenset(sends), preferences=strict.preferences)
    assert drop(wants, changes) is expected
    assert drop(ask(parameters=frozenset(sends)), changes) is None


@pytest.mark.parametrize(
    ("wants", "changes", "detail"),
    [
        (
            ask(text_bytes=66_000, max_tokens=1_000),
            {"context": 8192},
            "context window of 8,192 tokens is smaller than the ~12,000 the request needs",
        ),
        (
            ask(max_tokens=9_000),
            {"max_output": 4096},
            "answers with 4,096 tokens at most, and max_tokens is 9,000",
        ),
        (ask(inputs=frozenset({"text", "image"})), {}, "takes text, not image"),
        (ask(), {"outputs": frozenset({"embeddings"})}, "produces embeddings, not text"),
        (ask(), {"configured": False}, "no credential for Acme is set up"),
        (
            ask(),
            {"default_route": False},
            "is used only when provider.only or provider.order names acme",
        ),
        (wishing(only=("bolt", "core")), {}, "provider.only permits only: bolt, core"),
        (wishing(ignore=("acme",)), {}, "provider.ignore leaves out: acme"),
        (
            wishing(max_price=MaxPrice(prompt=PicoUsd(500_000))),
            {"price": price(2_500_000)},
            "prompt price of $2.5 is over $0.5 per million tokens, the limit in provider.max_price",
        ),
        (
            wishing(max_price=MaxPrice(image=USD_1)),
            {"price": price(1, image=5_000_000_000)},
            "image price of $0.005 is over $0.000001, the limit in provider.max_price",
        ),
        (
            wishing(zdr=True),
            {},
            "may keep prompts (unknown), and provider.zdr is true",
        ),
        (
            wishing(deny_data_collection=True),
            {"policy": DataPolicy(trains=True)},
            "trains on prompts, and provider.data_collection is deny",
        ),
        (
            wishing(deny_data_collection=True),
            {},
            "may train on prompts (unknown), and provider.data_collection is deny",
        ),
        (
            wishing(zdr=True),
            {"policy": DataPolicy(zdr=False)},
            "keeps prompts, and provider.zdr is true",
        ),
    ],
)
def test_a_verdict_says_which_figures_decided(
    wants: Ask, changes: dict[str, Any], detail: str
) -> None:
    found = verdict(endpoint(**changes), wants, TARGET)
    assert found is not None
    assert found[1] == detail


def test_a_wish_is_named_only_when_nothing_else_stood_in_the_way() -> None:
    wants = ask(text_bytes=6_000, preferences=wishing(only=("bolt",)).preferences)
    assert drop(wants, {"context": 10}) is Drop.CONTEXT_TOO_SMALL


def test_a_token_is_never_counted_where_six_bytes_would_do() -> None:
    assert tokens_needed(ask(text_bytes=11)) == 1
    assert tokens_needed(ask(text_bytes=12, max_tokens=5)) == 7
