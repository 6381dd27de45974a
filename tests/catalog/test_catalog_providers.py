"""The rows of providers.yaml: whole, unambiguous, and as the documentation has them."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dragoman.catalog import shipped
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import GENERAL_VARIABLES, base_url, hosts, names
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import TEMPLATE, DataPolicy, Provider
from tests.catalog.provider_table import page

ROWS = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
REAL = [row for row in ROWS.values() if row.kind != "demo"]
PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
PUBLIC_NAMES = {
    "amazon-bedrock": "Amazon Bedrock",
    "baseten": "BaseTen",
    "chutes": "Chutes",
    "cloudflare": "Cloudflare",
    "friendli": "Friendli",
    "gmicloud": "GMICloud",
    "google-ai-studio": "Google AI Studio",
    "google-vertex": "Google",
    "inception": "Inception",
    "minimax": "Minimax",
    "moonshotai": "Moonshot AI",
    "nebius": "Nebius",
    "novita": "Novita",
    "nvidia": "Nvidia",
    "perplexity": "Perplexity",
    "siliconflow": "SiliconFlow",
    "venice": "Venice",
    "z-ai": "Z.AI",
}
"""Slugs and names of OpenRouter's API (ProviderName, and the slugs of /byok)."""


def each_row(rows: list[Provider]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.slug)


def test_providers_have_openrouters_slugs_and_names() -> None:
    assert {slug: ROWS[slug].name for slug in PUBLIC_NAMES} == PUBLIC_NAMES


def test_no_name_means_two_providers() -> None:
    owners = Counter(name for row in ROWS.values() for name in names(row))
    assert [name for name, count in owners.items() if count > 1] == []


def test_no_row_lists_a_name_twice() -> None:
    doubled = [
        row.slug
        for row in ROWS.values()
        if len({*row.aliases, row.slug, row.name}) != len(row.aliases) + len({row.slug, row.name})
    ]
    assert doubled == []


def test_every_source_feeds_one_provider() -> None:
    sources = Counter(row.source or row.slug for row in REAL)
    assert sources.most_common(1)[0][1] == 1


def test_a_source_is_named_only_where_it_is_not_the_slug() -> None:
    assert [row.slug for row in REAL if row.source == row.slug] == []


@each_row([row for row in REAL if row.source])
def test_the_source_is_a_name_of_its_provider_or_nobodys(row: Provider) -> None:
    owners = [other.slug for other in REAL if (row.source or "") in names(other)]
    assert owners in ([], [row.slug], ["google-vertex"])
    assert owners != ["google-vertex"] or row.slug == "google-ai-studio"


@each_row(REAL)
def test_the_address_takes_chat_completions(row: Provider) -> None:
    assert not row.base_url.endswith(("/", "/completions", "/messages", "/responses"))
    assert "$" not in row.base_url
    filled = TEMPLATE.sub("example", row.base_url)
    assert base_url(filled, row.slug) == filled
    assert urlsplit(filled).scheme == ("http" if row.kind == "local" else "https")


@each_row(REAL)
def test_keys_are_variables_of_the_provider_alone(row: Provider) -> None:
    assert len(set(row.keys)) == len(row.keys)
    for variable in row.keys:
        assert re.fullmatch(r"[A-Z0-9][A-Z0-9_]*_[A-Z0-9_]+", variable)
        assert variable not in GENERAL_VARIABLES


def test_no_two_hosts_share_a_variable() -> None:
    claims = Counter(key for row in REAL if row.kind == "host" for key in row.keys)
    assert [key for key, count in claims.items() if count > 1] == []


def test_a_key_of_one_host_configures_no_other_but_its_companys_other_offers() -> None:
    together = {
        frozenset({"opencode", "opencode-go"}),  # one key for both
        frozenset({"perplexity", "perplexity-agent"}),  # one key for both
    }
    for key in {key for row in REAL for key in row.keys}:
        claimed = frozenset(row.slug for row in REAL if key in row.keys)
        assert len(claimed) == 1 or claimed in together, key


def test_what_has_no_variable_of_its_own_is_left_to_the_operator() -> None:
    assert sorted(row.slug for row in REAL if not row.keys and row.auth != "none") == [
        "cloudflare",  # CLOUDFLARE_API_TOKEN
        "cloudflare-ai-gateway",  # CLOUDFLARE_API_TOKEN
        "databricks",  # DATABRICKS_TOKEN
        "github-models",  # GITHUB_TOKEN
        "huggingface",  # HF_TOKEN
        "vultr",  # VULTR_API_KEY
        "wandb",  # WANDB_API_KEY
    ]


def test_only_a_host_on_this_machine_needs_no_key() -> None:
    assert {row.kind for row in REAL if row.auth == "none"} == {"local"}


@pytest.mark.parametrize(
    ("option", "secret"),
    [
        (ProviderOptions(), ""),
        (ProviderOptions(api_key="k"), "k"),
        (ProviderOptions(auth="none"), ""),
    ],
)
def test_a_host_on_this_machine_is_there_once_dragoman_yaml_names_it(
    option: ProviderOptions, secret: str
) -> None:
    found = hosts(ROWS, {"lmstudio": option}, {})
    assert found.configured == {"lmstudio"}
    credential = next(each for each in found.credentials if each.provider == "lmstudio")
    assert credential.secret.reveal() == secret
    assert (found.providers["lmstudio"].auth == "bearer") is bool(secret)


def test_nothing_is_configured_in_an_empty_environment() -> None:
    assert hosts(ROWS, {}, {}).configured == frozenset()


@each_row(REAL)
def test_what_is_said_of_prompts_has_a_source_and_a_date(row: Provider) -> None:
    policy = row.policy
    if (policy.trains, policy.retains, policy.zdr) == (None, None, None):
        assert policy == DataPolicy()
        return
    assert urlsplit(policy.source or "").scheme == "https"
    assert re.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?", policy.dated or "")


@each_row([row for row in REAL if row.policy.zdr])
def test_zero_retention_is_taken_from_the_provider_itself_and_contradicts_nothing(
    row: Provider,
) -> None:
    assert "openrouter.ai" not in (row.policy.source or "")
    assert row.policy.retains is False
    assert row.policy.trains is False


@each_row([row for row in REAL if row.policy.retains])
def test_what_is_kept_is_never_called_zero_retention(row: Provider) -> None:
    assert row.policy.zdr is False


@each_row(REAL)
def test_countries_and_links_are_well_formed(row: Provider) -> None:
    for country in (row.headquarters, *row.datacenters):
        assert country is None or re.fullmatch(r"[A-Z]{2}", country)
    for url in (row.terms_url, row.privacy_url, row.status_url):
        assert url is None or (urlsplit(url).scheme == "https" and urlsplit(url).hostname)


def test_there_are_enough_hosts() -> None:
    kinds = Counter(row.kind for row in ROWS.values())
    callable_now = [row for row in REAL if row.kind == "host" and row.dialect == "openai"]
    assert kinds["host"] >= 60
    assert len(callable_now) >= 55
    assert kinds["demo"] == 3


@pytest.mark.parametrize("slug", ["openrouter", "requesty", "vercel", "helicone", "poe", "zenmux"])
def test_an_aggregator_is_no_host(slug: str) -> None:
    assert ROWS[slug].kind == "aggregator"


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("dbc-1.cloud.databricks.com", "dbc-1.cloud.databricks.com"),
        ("https://dbc-1.cloud.databricks.com/", "dbc-1.cloud.databricks.com"),
    ],
)
def test_a_variable_may_hold_a_host_or_its_whole_url(given: str, host: str) -> None:
    found = hosts(ROWS, {}, {"NEON_AI_GATEWAY_BASE_URL": given, "NEON_AI_GATEWAY_TOKEN": "t"})
    assert found.configured == {"neon"}
    assert found.providers["neon"].base_url == f"https://{host}/ai-gateway/mlflow/v1"


def test_a_variable_with_another_scheme_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"providers\.neon\.base_url: .*not an absolute"):
        hosts(
            ROWS, {}, {"NEON_AI_GATEWAY_BASE_URL": "http://a.example", "NEON_AI_GATEWAY_TOKEN": "t"}
        )


def test_a_variable_of_a_host_without_a_key_is_not_even_looked_at() -> None:
    assert hosts(ROWS, {}, {"DATABRICKS_HOST": "http://{}", "AWS_REGION": "?"}).configured == set()


def test_the_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(ROWS.values()), (
        "docs/providers.md is out of date: python -m tests.catalog.provider_table > it"
    )
