"""What every client is told, held against a golden file each, and which models it is given.

Where a recipe was meant to change: `GOLDEN=write python -m pytest` this file, and read the diff.
"""

import json
import os
from pathlib import Path

import pytest

from dragoman.cli.connect.clients import CLIENTS, named
from dragoman.cli.connect.models import chosen, listed
from dragoman.cli.connect.render import rendered
from dragoman.cli.connect.types import Choice, Client, Facts, Model, Prices

GOLDEN = Path(__file__).with_name("connect_golden")
WRITE = os.environ.get("GOLDEN") == "write"
SONNET = Model(
    id="anthropic/claude-sonnet-5",
    name="Claude Sonnet 5",
    context=1_000_000,
    output=64_000,
    inputs=("text", "image", "file"),
    prices=Prices(input=3.0, output=15.0, cache_read=0.3),
)
HAIKU = Model(
    id="anthropic/claude-haiku-4.5", name="Claude Haiku 4.5", context=200_000, output=32_000
)
FACTS = Facts(
    origin="http://127.0.0.1:4000",
    key="sk-dm-v1-example",
    models=Choice(main=SONNET, small=HAIKU, classes={"sonnet": SONNET, "haiku": HAIKU}),
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_is_told_what_its_golden_file_says(client: Client) -> None:
    file = GOLDEN / f"{client.name}.txt"
    text = rendered(client.recipe(FACTS))
    if WRITE:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {client.name for client in CLIENTS}


def test_every_client_has_its_section_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
    sections = {line[3:] for line in text.splitlines() if line.startswith("## ")}
    assert sections - {"Verified"} == {client.name for client in CLIENTS}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_is_told_where_the_gateway_is(client: Client) -> None:
    text = rendered(client.recipe(FACTS))
    assert "http://127.0.0.1:4000" in text
    assert "sk-dm-v1-example" in text


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_paths_of_settings_do_not_depend_on_facts_or_undo_would_miss_some(client: Client) -> None:
    bare = Model(id="x/y")
    other = Facts(origin="https://llm.example", key="k", models=Choice(main=bare, small=bare))

    def paths(facts: Facts) -> list[tuple[str, tuple[str, ...]]]:
        config = client.recipe(facts)
        return [(doc.path, each.path) for doc in config.documents for each in doc.settings]

    assert paths(FACTS) == paths(other)


def test_clients_that_call_from_elsewhere_are_told_of_a_private_address() -> None:
    cursor = named("cursor")
    assert cursor is not None
    assert "this machine only" in rendered(cursor.recipe(FACTS))
    public = Facts(origin="https://llm.example", key="k", models=FACTS.models)
    assert "this machine only" not in rendered(cursor.recipe(public))


def row(id_: str, created: int, **more: object) -> dict[str, object]:
    return {"id": id_, "created": created, "supported_parameters": ["tools"], **more}


MODELS = [
    row("anthropic/claude-sonnet-4.5", 1),
    row("anthropic/claude-sonnet-5", 5),
    row("anthropic/claude-sonnet-5:free", 9),
    row("anthropic/claude-sonnet-6", 9, callable=False),
    row("anthropic/claude-opus-5", 4),
    row("anthropic/claude-opus-5-fast", 8),
    row("anthropic/claude-haiku-4.5", 3),
    row("openai/gpt-6", 6),
    row("openai/gpt-6-mini", 7, pricing={"prompt": "0.0000002", "completion": "0.000002"}),
    row("openai/gpt-6-nano", 7, pricing={"prompt": "0.0000001", "completion": "0.000001"}),
    row("openai/gpt-image-3", 8, architecture={"output_modalities": ["image"]}),
    row("openai/gpt-7", 8, supported_parameters=[]),
    row("demo/parrot", 2),
    row("demo/scholar", 2),
]


def choice(rows: list[dict[str, object]], name: str, *wished: str) -> tuple[str, str]:
    client = named(name)
    assert client is not None
    models = listed(json.dumps({"data": rows}).encode())
    main, small = (*wished, None, None)[:2]
    found = chosen(models, client.families, main, small)
    assert found is not None
    return found.main.id, found.small.id


@pytest.mark.parametrize(
    ("client", "main", "small"),
    [
        ("claude-code", "anthropic/claude-sonnet-5", "anthropic/claude-haiku-4.5"),
        ("codex", "openai/gpt-6", "openai/gpt-6-mini"),
        ("opencode", "anthropic/claude-sonnet-5", "anthropic/claude-haiku-4.5"),
    ],
)
def test_a_client_gets_the_newest_of_the_family_that_suits_it(
    client: str, main: str, small: str
) -> None:
    assert choice(MODELS, client) == (main, small)


def test_what_a_model_takes_and_costs_is_read_from_the_list() -> None:
    pricing = {"prompt": "0.000003", "completion": "-1", "input_cache_read": "0.0000003"}
    taken = {"input_modalities": ["text", "image"], "output_modalities": ["text"]}
    rows = [row("a/b", 1, architecture=taken, pricing=pricing), row("a/c", 1)]
    seeing, untold = listed(json.dumps({"data": rows}).encode())
    assert seeing.inputs == ("text", "image")
    assert seeing.prices == Prices(input=3.0, output=None, cache_read=0.3)
    assert (untold.inputs, untold.prices) == ((), Prices())


def test_a_host_of_ones_own_comes_before_the_demo() -> None:
    own = [row("mine/qwen", 1), *MODELS[-2:]]
    assert choice(own, "codex") == ("mine/qwen", "mine/qwen")
    assert choice(MODELS[-2:], "codex") == ("demo/scholar", "demo/scholar")


def test_a_model_that_is_named_is_taken_though_it_is_not_listed() -> None:
    assert choice(MODELS, "codex", "fast") == ("fast", "fast")
    assert choice(MODELS, "codex", "fast", "openai/gpt-6-mini") == ("fast", "openai/gpt-6-mini")


def test_classes_of_models_are_the_newest_of_their_names() -> None:
    found = chosen(listed(json.dumps({"data": MODELS}).encode()), (), None, None)
    assert found is not None
    assert {name: model.id for name, model in found.classes.items()} == {
        "opus": "anthropic/claude-opus-5",
        "sonnet": "anthropic/claude-sonnet-5",
        "haiku": "anthropic/claude-haiku-4.5",
    }


def test_where_nothing_can_be_called_nothing_is_chosen() -> None:
    assert chosen((), (), None, None) is None
