"""A small source in models.dev's form, for tests of the build, and tables for it."""

import json
from typing import Any

from dragoman.catalog.build.merge import Built, build
from dragoman.catalog.build.read import read
from dragoman.catalog.build.rows import rows
from dragoman.catalog.build.tables import Correction, Tables, tables
from dragoman.catalog.shipped import ModelRow
from dragoman.catalog.types import Kind, Provider

Models = dict[str, dict[str, Any]]

DECIDED = tables()


def entry(name: str = "Model", *, cost: Any = (1.0, 2.0), **facts: Any) -> dict[str, Any]:
    """Return a model as the source has it; `cost` is (input, output) or an object."""
    priced = {"input": cost[0], "output": cost[1]} if isinstance(cost, tuple) else cost
    return {
        "name": name,
        "limit": {"context": 8192, "output": 1024},
        "modalities": {"input": ["text"], "output": ["text"]},
        "reasoning": False,
        "tool_call": True,
        "release_date": "2025-05-01",
        **({"cost": priced} if priced is not None else {}),
        **facts,
    }


def document(**providers: Models) -> bytes:
    """Return a source with these models; underscores in names of providers are hyphens."""
    rows = {slug.replace("_", "-"): {"models": models} for slug, models in providers.items()}
    return json.dumps({"providers": rows, "models": {}, "source": "a test"}).encode()


def hosts(source: bytes, kind: Kind = "host") -> dict[str, Provider]:
    """Return a row for every provider of a source but OpenRouter, whose list names models."""
    return {
        slug: Provider(
            slug=slug, name=slug, dialect="openai", base_url=f"https://{slug}.test/v1", kind=kind
        )
        for slug in json.loads(source)["providers"]
        if slug != "openrouter"
    }


def built(source: bytes, *corrections: Correction, kind: Kind = "host") -> Built:
    """Build a source with the package's identities and these corrections alone."""
    decided = Tables(
        identities=DECIDED.identities, corrections=corrections, parameters=DECIDED.parameters
    )
    return build(read(source), hosts(source, kind), decided)


def served(result: Built) -> dict[str, dict[str, str]]:
    """Return model -> tag (with `:free` of free tiers) -> the name at the provider."""
    return {
        model.id: {
            f"{draft.tag}{':free' if draft.identity.free else ''}": draft.entry.id
            for draft in model.drafts
        }
        for model in result.models
    }


def row_of(*models: dict[str, Any], **more: dict[str, Any]) -> ModelRow:
    """Return the row of `openai/gpt-5.2`, served by `acme` with this entry, and others."""
    source = document(
        openrouter={"openai/gpt-5.2": entry("GPT-5.2")},
        **{f"host{i}": {"gpt-5.2": raw} for i, raw in enumerate(models)},
        **{slug: {"gpt-5.2": raw} for slug, raw in more.items()},
    )
    (row,) = rows(built(source).models, DECIDED)
    return row
