"""Which model an entry is: every trap that the source has set, and the words of names."""

import pytest

from dragoman.catalog.build.words import Shape, key, plain, reductions, shape, squash
from tests.catalog.source import DECIDED, built, document, entry, served

LLAMA = "meta-llama/llama-3.3-70b-instruct"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Qwen3_32B", "qwen-3-32b"),
        ("claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("claude-4.5-sonnet", "claude-sonnet-4.5"),
        ("DeepSeek-V3.2", "deepseek-3.2"),
        ("llama3.3-70b-instruct", "Llama-3_3-70B-Instruct"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gemma-3-1b", "gemma-31-b"),
        ("gpt-4.1", "gpt-41"),
        ("qwen3-235b-a22b", "qwen3-235b-a22b-2507"),
        ("glm-4.6", "glm-4.6v"),
        ("gpt-4o", "gpt-4"),
    ],
)
def test_other_models_have_other_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("provider", "name", "expected"),
    [
        (
            "amazon-bedrock",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Shape(slug="claude-sonnet-4-5-20250929", orgs=("anthropic",), region="us"),
        ),
        (
            "amazon-bedrock",
            "global.anthropic.claude-opus-4-6-v1",
            Shape(slug="claude-opus-4-6", orgs=("anthropic",), region="global"),
        ),
        ("amazon-bedrock", "deepseek.r1-v1:0", Shape(slug="r1", orgs=("deepseek",))),
        ("google-vertex", "claude-opus-4@20250514", Shape(slug="claude-opus-4-20250514")),
        ("google-vertex", "claude-opus-4-8@default", Shape(slug="claude-opus-4-8")),
        ("fireworks-ai", "accounts/fireworks/models/kimi-k2p6", Shape(slug="kimi-k2.6")),
        ("cloudflare-workers-ai", "@cf/qwen/qwq-32b", Shape(slug="qwq-32b", orgs=("qwen",))),
        ("synthetic", "hf:zai-org/GLM-4.7", Shape(slug="GLM-4.7", orgs=("zai-org",))),
        ("clarifai", "qwen/qwenLM/models/Qwen3-8B", Shape(slug="Qwen3-8B", orgs=("qwen",))),
        ("ollama-cloud", "gpt-oss:120b", Shape(slug="gpt-oss-120b")),
        ("openrouter", "a/b:free", Shape(slug="b", orgs=("a",), free=True)),
    ],
)
def test_what_a_host_wraps_around_a_name_comes_off(
    provider: str, name: str, expected: Shape
) -> None:
    assert shape(provider, name) == expected


def test_words_go_from_the_end_one_by_one_and_say_what_they_mean() -> None:
    tables = DECIDED.identities
    *_, last = reductions("Llama-3.3-70B-Instruct-FP8-fast", tables.speeds, tables.wrapping)
    assert (last.slug, last.variant, last.quantization) == (
        "Llama-3.3-70B-Instruct",
        ("fast",),
        "fp8",
    )


def test_short_numbers_are_no_dates() -> None:
    assert [each.slug for each in reductions("qwen3-2507", frozenset(), frozenset())] == [
        "qwen3-2507"
    ]


def test_helpers_of_spelling() -> None:
    assert squash("gpt-5.2") == squash("GPT 52")
    assert plain("_Llama-3_1 70B_") == "llama-3.1-70b"


def test_a_model_under_many_names_is_one_model() -> None:
    found = served(
        built(
            document(
                groq={"llama-3.3-70b-versatile": entry()},
                venice={"llama-3.3-70b": entry()},
                together={"meta-llama/Llama-3.3-70B-Instruct-Turbo": entry()},
                snowflake={"snowflake-llama3.3-70b": entry()},
                ovhcloud={"meta-llama-3_3-70b-instruct": entry()},
            )
        )
    )
    assert found == {
        LLAMA: {
            "groq": "llama-3.3-70b-versatile",
            "venice": "llama-3.3-70b",
            "together/turbo": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "snowflake": "snowflake-llama3.3-70b",
            "ovhcloud": "meta-llama-3_3-70b-instruct",
        }
    }


def test_bedrocks_regions_are_tags_of_one_provider() -> None:
    models = {
        "anthropic.claude-haiku-4-5-20251001-v1:0": entry(),
        "eu.anthropic.claude-haiku-4-5-20251001-v1:0": entry(cost=(1.1, 2.2)),
        "us.anthropic.claude-haiku-4-5-20251001-v1:0": entry(),
    }
    found = built(document(amazon_bedrock=models, openrouter={"anthropic/claude-haiku-4.5": {}}))
    (joined,) = (model for model in found.models if model.id.startswith("anthropic/"))
    assert [(draft.tag, draft.identity.region) for draft in joined.drafts] == [
        ("amazon-bedrock", None),
        ("amazon-bedrock/eu", "eu"),
        ("amazon-bedrock/us", "us"),
    ]


def test_a_base_model_that_contradicts_the_name_loses_and_is_told() -> None:
    source = document(
        openrouter={"deepseek/deepseek-r1": entry()},
        acme={
            "deepseek-r1-distill-qwen-32b": entry(
                base_model="deepseek/deepseek-r1",
                weights=[{"url": "https://huggingface.co/deepseek-ai/DeepSeek-R1"}],
                reasoning_options=[{"type": "effort", "values": ["high"]}],
                cost={"input": 1, "output": 2, "reasoning": 9},
            )
        },
    )
    found = built(source)
    (joined,) = found.models
    (draft,) = joined.drafts
    assert joined.id == "deepseek/deepseek-r1-distill-qwen-32b"
    assert joined.weights is None
    assert draft.price is not None
    assert draft.price.reasoning is None
    assert draft.entry.about.reasoning_options == ()
    assert found.account.merges[0].contradicted == "deepseek/deepseek-r1"


def test_a_base_model_settles_what_the_name_leaves_open() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry(), "nvidia/nemotron-3-super-120b-a12b": entry()},
        venice={"openai-gpt-52": entry(base_model="openai/gpt-5.2")},
        acme={"nemotron-super-3-120b": entry(base_model="nvidia/nemotron-3-super-120b-a12b")},
    )
    assert set(served(built(source))) == {"openai/gpt-5.2", "nvidia/nemotron-3-super-120b-a12b"}


def test_a_base_model_that_an_unknown_name_does_not_agree_with_is_told() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()}, acme={"roc": entry(base_model="openai/gpt-5.2")}
    )
    found = built(source)
    assert set(served(found)) == {"acme/roc"}
    assert [each.contradicted for each in found.account.merges] == ["openai/gpt-5.2"]


def test_a_dated_snapshot_that_openrouter_lists_is_a_model_of_its_own() -> None:
    source = document(
        openrouter={"openai/gpt-4o": entry(), "openai/gpt-4o-2024-05-13": entry()},
        openai={"gpt-4o": entry(), "gpt-4o-2024-05-13": entry(cost=(5, 15))},
    )
    assert set(served(built(source))) == {"openai/gpt-4o", "openai/gpt-4o-2024-05-13"}


def test_dated_and_undated_at_one_price_are_one_endpoint_and_both_are_told() -> None:
    models = {"claude-opus-4-1": entry(), "claude-opus-4-1-20250805": entry()}
    found = built(document(openrouter={"anthropic/claude-opus-4.1": entry()}, anthropic=models))
    assert served(found) == {"anthropic/claude-opus-4.1": {"anthropic": "claude-opus-4-1"}}
    assert [merge.twin_of for merge in found.account.merges] == [None, "claude-opus-4-1"]


def test_a_dated_snapshot_at_another_price_is_an_endpoint_of_its_own() -> None:
    models = {"claude-opus-4-1": entry(), "claude-opus-4-1-20250805": entry(cost=(9, 9))}
    found = built(document(openrouter={"anthropic/claude-opus-4.1": entry()}, anthropic=models))
    assert served(found) == {
        "anthropic/claude-opus-4.1": {
            "anthropic": "claude-opus-4-1",
            "anthropic/20250805": "claude-opus-4-1-20250805",
        }
    }


@pytest.mark.parametrize(
    ("models", "used"),
    [
        ({"gpt-5.2": {"provider": {"shape": "responses"}}, "openai/gpt-5.2": {}}, "openai/gpt-5.2"),
        (
            {"gpt-5.2-2026-01-01": {}, "accounts/acme/models/gpt-5.2": {}},
            "accounts/acme/models/gpt-5.2",
        ),
        ({"openai/gpt-5.2": {}, "gpt-5.2": {}}, "gpt-5.2"),
        ({"gpt-5.2": {}, "GPT-5.2": {}}, "GPT-5.2"),
    ],
)
def test_of_twins_the_one_that_can_be_called_counts_then_undated_then_short(
    models: dict[str, dict[str, str]], used: str
) -> None:
    acme = {name: entry(**facts) for name, facts in models.items()}
    found = built(document(openrouter={"openai/gpt-5.2": entry()}, acme=acme))
    assert served(found) == {"openai/gpt-5.2": {"acme": used}}


def test_endpoints_of_one_way_are_told_apart_by_precision_and_then_by_name() -> None:
    source = document(
        openrouter={"z-ai/glm-5.2": entry()},
        acme={
            "glm-5.2": entry(cost=(1, 1)),
            "GLM-5.2": entry(cost=(2, 2)),
            "glm_5.2": entry(cost=(3, 3)),
            "Glm-5.2": entry(cost=(4, 4)),
            "zai-org/glm-5.2-fp8": entry(cost=(1, 1)),
        },
    )
    assert served(built(source)) == {
        "z-ai/glm-5.2": {
            "acme": "GLM-5.2",
            "acme/glm-5.2": "Glm-5.2",
            "acme/glm-5.2-2": "glm-5.2",
            "acme/glm-5.2-3": "glm_5.2",
            "acme/fp8": "zai-org/glm-5.2-fp8",
        }
    }


def test_a_name_of_two_authors_needs_one_of_them_before_it() -> None:
    source = document(
        openrouter={"acme/roc-9b": entry(), "evil/roc-9b": entry()},
        one={"roc-9b": entry()},
        two={"evil/roc-9b": entry()},
    )
    assert served(built(source)) == {
        "evil/roc-9b": {"two": "evil/roc-9b"},
        "one/roc-9b": {"one": "roc-9b"},
    }


def test_an_organisation_that_only_repackages_is_no_author() -> None:
    source = document(openrouter={}, acme={"unsloth/gemma-9-2b": entry(), "Pro/roc": entry()})
    assert set(served(built(source))) == {"google/gemma-9-2b", "acme/roc"}


def test_what_is_no_name_of_a_model_in_openrouters_list_is_not_one_here() -> None:
    source = document(
        openrouter={"openrouter/auto": entry(), "~a/b-latest": entry(), "a/b?c": entry()},
        acme={"auto": entry(), "b?c": entry()},
    )
    assert set(served(built(source))) == {"acme/auto", "acme/b-c"}


def test_faster_and_cheaper_ways_are_variants_unless_they_are_models() -> None:
    source = document(
        openrouter={"z-ai/glm-5.2": entry(), "z-ai/glm-5-turbo": entry()},
        acme={
            "glm-5.2": entry(),
            "glm-5.2-fast": entry(cost=(2, 4)),
            "glm-5.2-short-fast-flex": entry(cost=(0.5, 1)),
            "glm-5-turbo": entry(),
        },
    )
    assert served(built(source)) == {
        "z-ai/glm-5-turbo": {"acme": "glm-5-turbo"},
        "z-ai/glm-5.2": {
            "acme": "glm-5.2",
            "acme/fast": "glm-5.2-fast",
            "acme/short-fast-flex": "glm-5.2-short-fast-flex",
        },
    }


def test_a_size_after_a_colon_is_no_variant() -> None:
    source = document(openrouter={"openai/gpt-oss-120b": {}}, ollama_cloud={"gpt-oss:20b": entry()})
    assert served(built(source)) == {"openai/gpt-oss-20b": {"ollama-cloud": "gpt-oss:20b"}}


def test_a_fine_tune_is_not_the_model_that_it_names() -> None:
    source = document(
        openrouter={"google/gemma-4-31b-it": entry()},
        together={
            "google/gemma-4-31B-it": entry(),
            "pearl-ai/gemma-4-31b-it": entry(cost=(3, 4)),
            "unsloth/gemma-4-31b-it-FP8": entry(cost=(5, 6)),
        },
    )
    found = served(built(source))
    assert set(found) == {"google/gemma-4-31b-it", "pearl-ai/gemma-4-31b-it"}
    assert len(found["google/gemma-4-31b-it"]) == 2


def test_a_moving_alias_is_left_out_unless_a_table_says_what_it_is() -> None:
    models = {"mistral-large-latest": entry(), "codestral-latest": entry()}
    found = built(document(openrouter={"mistralai/codestral-2508": entry()}, mistral=models))
    assert served(found) == {"mistralai/codestral-2508": {"mistral": "codestral-latest"}}
    why = "an alias that its provider moves from model to model"
    assert ("mistral: mistral-large-latest", why) in found.account.dropped


def test_models_that_nobody_knows_get_one_spelling_and_their_family_s_author() -> None:
    source = document(
        one={"Qwen9_72B": entry()}, two={"qwen-9-72b": entry()}, three={"qwen-9-72b": entry()}
    )
    assert served(built(source)) == {
        "qwen/qwen-9-72b": {"one": "Qwen9_72B", "two": "qwen-9-72b", "three": "qwen-9-72b"}
    }


def test_the_most_common_spelling_becomes_the_id() -> None:
    source = document(
        one={"Qwen9-72B": entry()}, two={"qwen9-72b": entry()}, three={"qwen-9-72b": entry()}
    )
    assert set(served(built(source))) == {"qwen/qwen9-72b"}


def test_a_model_of_nobody_is_its_provider_s() -> None:
    assert set(served(built(document(acme={"roc": entry()})))) == {"acme/roc"}
