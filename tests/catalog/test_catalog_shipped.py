"""The rows that come with the package, and what happens when they are damaged."""

import re
from urllib.parse import urlsplit

import pytest
import yaml

from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped, assemble
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import GENERAL_VARIABLES, hosts, names
from dragoman.catalog.options import Declared
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.tariff import completed
from dragoman.catalog.types import Endpoint, Price, PriceTier
from dragoman.core.money import PicoUsd

HOST = b"acme: {name: Acme, base_url: 'https://acme.example/v1'}"
ROW = b'"provider": "acme", "upstream": "m"'


@pytest.fixture(scope="module")
def package() -> Shipped:
    return shipped.load()


@pytest.fixture(scope="module")
def endpoints(package: Shipped) -> list[Endpoint]:
    return [each for model in package.models for each in model.endpoints]


def test_the_hosts_a_newcomer_has_a_key_for_are_there(package: Shipped) -> None:
    found = {row.slug: row.name for row in package.providers.values() if row.dialect != "demo"}
    assert (
        found.items()
        >= {
            "anthropic": "Anthropic",
            "azure": "Azure",
            "cerebras": "Cerebras",
            "cohere": "Cohere",
            "deepinfra": "DeepInfra",
            "deepseek": "DeepSeek",
            "fireworks": "Fireworks",
            "google-ai-studio": "Google AI Studio",
            "groq": "Groq",
            "mistral": "Mistral",
            "openai": "OpenAI",
            "openrouter": "OpenRouter",
            "together": "Together",
            "xai": "xAI",
        }.items()
    )


def test_every_row_of_a_host_is_sound(package: Shipped) -> None:
    taken: dict[str, str] = {}
    for row in package.providers.values():
        for name in names(row):
            assert taken.setdefault(name, row.slug) == row.slug
        for variable in row.keys:
            assert re.fullmatch(r"[A-Z0-9_]+", variable)
            assert variable not in GENERAL_VARIABLES
        for url in (row.terms_url, row.privacy_url, row.status_url):
            assert url is None or urlsplit(url).scheme == "https"


def test_every_endpoint_is_sound(package: Shipped, endpoints: list[Endpoint]) -> None:
    assert len({each.id for each in endpoints}) == len(endpoints)
    served = {(each.provider, each.upstream, each.model) for each in endpoints}
    assert len({(provider, upstream) for provider, upstream, _ in served}) == len(served)
    for each in endpoints:
        assert each.provider in package.providers, each.id
        assert each.supports <= PARAMETERS, each.id
        assert ("max_tokens" in each.supports) is ("text" in each.outputs), each.id
        assert each.inputs, each.id
        assert each.context != 0, each.id
        assert each.max_output is None or each.max_output <= (each.context or 10**9), each.id
        assert (each.region is None) is not each.tag.startswith(f"{each.provider}/{each.region}")


def test_every_price_is_one_that_somebody_asks(endpoints: list[Endpoint]) -> None:
    for each in endpoints:
        if each.price is None or each.free:
            continue
        by_search = "rerank" in each.outputs and each.price.search
        assert 0 < each.price.prompt < 10**9 or by_search, each.id
        assert 0 < each.price.completion < 10**9 or "text" not in each.outputs, each.id
        assert each.price.cache_read is None or each.price.cache_read <= each.price.prompt, each.id
        sizes = [tier.min_prompt_tokens for tier in each.price.tiers]
        assert sizes == sorted(set(sizes)), each.id


def test_what_nobody_can_ask_for_is_not_active(endpoints: list[Endpoint]) -> None:
    for each in endpoints:
        if each.status == "active" and each.outputs != {"rerank"}:
            assert each.outputs & {"text", "embeddings"}, each.id
    rerank = [each for each in endpoints if "rerank" in each.outputs]
    callable_now = {each.provider.split("-")[0] for each in rerank if each.status == "active"}
    assert callable_now == {"demo", "cohere"}


def test_cohere_embeds_and_reranks_at_its_own_host(endpoints: list[Endpoint]) -> None:
    own = {each.model: each for each in endpoints if each.provider == "cohere"}
    embed = own["cohere/embed-v4.0"]
    assert embed.price == Price(prompt=PicoUsd(120_000), completion=PicoUsd(0))
    assert (embed.context, embed.status, *embed.outputs) == (128_000, "active", "embeddings")
    for name in ("english", "english-light", "multilingual", "multilingual-light"):
        each = own[f"cohere/embed-{name}-v3.0"]
        assert each.price == Price(prompt=PicoUsd(100_000), completion=PicoUsd(0))
        assert (each.context, each.status, *each.outputs) == (512, "active", "embeddings")
    searches = {"v4.0-pro": 2_500_000_000, "v4.0-fast": 2_000_000_000, "v3.5": 2_000_000_000}
    for name, search in searches.items():
        each = own[f"cohere/rerank-{name}"]
        free = PicoUsd(0)
        assert each.price == Price(prompt=free, completion=free, search=PicoUsd(search))
        assert (each.status, *each.outputs) == ("active", "rerank")


def test_what_alibabas_implicit_cache_holds_is_not_priced_as_what_was_marked(
    package: Shipped, endpoints: list[Endpoint]
) -> None:
    """alibabacloud.com/help/en/model-studio/context-cache: a fifth, where marked a tenth."""
    found = 0
    for each in endpoints:
        if each.provider in {"alibaba", "alibaba-cn"} and each.upstream.startswith("qwen"):
            price = completed(each.price, package.providers[each.provider].billing, each.upstream)
            if price is None or not price.completion:
                continue
            parts: list[Price | PriceTier] = [price, *price.tiers]
            for part in parts:
                assert part.prompt is not None
                assert part.cache_read == part.prompt // 5, each.id
                assert part.cache_read_marked == part.prompt // 10, each.id
                found += 1
    assert found > 50


def test_no_endpoint_claims_what_its_host_rejects(
    package: Shipped, endpoints: list[Endpoint]
) -> None:
    for each in endpoints:
        assert each.supports.isdisjoint(package.providers[each.provider].quirks.rejects), each.id


def test_ids_are_openrouters_kind(package: Shipped) -> None:
    for model in package.models:
        assert re.fullmatch(r"[a-z0-9-]+/[a-z0-9.-]+", model.id)
        assert all(each.model == model.id for each in model.endpoints)


def test_well_known_models_have_a_choice_of_hosts(package: Shipped) -> None:
    hosts_of = {m.id: {each.provider for each in m.endpoints} for m in package.models}
    assert len(hosts_of["openai/gpt-oss-120b"]) >= 20
    for id_ in ("meta-llama/llama-3.3-70b-instruct", "deepseek/deepseek-v4-pro", "z-ai/glm-5.2"):
        assert len(hosts_of[id_]) >= 10


def test_aggregators_and_local_servers_tell_of_themselves(
    package: Shipped, endpoints: list[Endpoint]
) -> None:
    kinds = {package.providers[each.provider].kind for each in endpoints}
    assert kinds == {"host", "plan", "demo"}


@pytest.mark.parametrize("id_", ["demo/parrot", "demo/scholar"])
def test_a_demo_model_is_dear_and_swift_or_cheap_and_slow(package: Shipped, id_: str) -> None:
    model = next(model for model in package.models if model.id == id_)
    dearest_first = sorted(
        model.endpoints, key=lambda each: each.price.prompt if each.price else 0, reverse=True
    )
    assert [each.provider for each in dearest_first] == [
        "demo-swift",
        "demo-steady",
        "demo-thrifty",
    ]
    for each in model.endpoints:
        assert {"tools", "structured_outputs", "reasoning", "seed"} <= each.supports


def test_a_price_is_read_to_the_last_digit(package: Shipped) -> None:
    model = next(model for model in package.models if model.id == "openai/gpt-4o-mini")
    (maker,) = (each for each in model.endpoints if each.provider == "openai")
    assert maker.price == Price(
        prompt=PicoUsd(150_000), completion=PicoUsd(600_000), cache_read=PicoUsd(75_000)
    )


def test_with_a_key_the_catalog_is_all_there(package: Shipped) -> None:
    found = hosts(package.providers, {}, {"GROQ_API_KEY": "gsk"})
    catalog = assemble(package, found, Declared())
    model = catalog.models["meta-llama/llama-3.3-70b-instruct"]
    assert [each.provider for each in model.endpoints if each.configured] == ["groq"]
    assert "demo/parrot" not in catalog.models


def test_the_plain_yaml_loader_reads_the_same_rows(
    package: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_SafeLoader", yaml.SafeLoader)
    assert shipped.load() == package


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: [", "^providers.yaml: "),
        (b"[]", "^providers.yaml: is not a mapping"),
        (b"acme: 7", "^providers.yaml: acme: is not a mapping"),
        (b"acme: {name: Acme, base_uri: x}", "^providers.yaml: acme: unknown fields base_uri"),
        (b"acme: {name: Acme}", "^providers.yaml: acme: .*base_url"),
        (b"acme: {name: 7, base_url: x}", "^providers.yaml: acme: .*name"),
        (b"acme: {name: A, base_url: x, policy: {train: true}}", "^providers.yaml: acme: .*train"),
        (b"acme: !!python/object:os.system {}", "^providers.yaml: "),
    ],
)
def test_damaged_hosts_are_refused_by_name(text: bytes, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        shipped.read_providers(text)


def models(endpoint: bytes) -> bytes:
    return b'[{"id": "a/b", "name": "B", "created": 1, "endpoints": [{' + endpoint + b"}]}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[", "^models.json: "),
        (b"{}", "^models.json: "),
        (models(ROW + b', "contxt": 1'), "^models.json: .*contxt"),
        (models(b'"provider": "acme"'), "^models.json: .*upstream"),
        (models(b'"provider": "who", "upstream": "m"'), "^models.json: a/b at who: no such"),
        (
            models(ROW + b', "price": {"prompt": "x", "completion": "1"}'),
            "^models.json: a/b at acme.prompt: ",
        ),
        (
            models(ROW + b', "price": {"prompt": "1", "completion": "1e-13"}'),
            "^models.json: a/b at acme.completion: ",
        ),
    ],
)
def test_damaged_models_are_refused_by_name(text: bytes, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        shipped.read_models(text, shipped.read_providers(HOST))


def test_a_variant_is_a_tag_of_its_own_and_a_free_tier_an_endpoint_of_its_own() -> None:
    rows = shipped.read_providers(HOST)
    (fast,) = shipped.read_models(models(ROW + b', "variant": "fast"'), rows)[0].endpoints
    (free,) = shipped.read_models(models(ROW + b', "free": true'), rows)[0].endpoints
    assert (fast.id, fast.tag, fast.price) == ("acme/fast|a/b", "acme/fast", None)
    assert (free.id, free.tag, free.free) == ("acme|a/b:free", "acme", True)


def test_endpoints_know_the_efforts_of_their_model(package: Shipped) -> None:
    models = {model.id: model for model in package.models}
    assert models["openai/o4-mini"].efforts == ("high", "medium", "low")
    for model in package.models:
        assert {each.efforts for each in model.endpoints} <= {model.efforts}
