"""The list of models, read by Anthropic's official client."""

from typing import Any

import pytest

from dragoman.catalog.listing import page
from tests.catalog.models import CHEAP, body, catalog, endpoint, model, model_rows

anthropic: Any = pytest.importorskip("anthropic", reason="Anthropic's client is not installed")


def test_anthropics_sdk_reads_the_list() -> None:
    told = catalog(
        model(endpoint("a", CHEAP, context=1000, max_output=100)),
        model(endpoint("a", CHEAP), id="x/old", created=0, deprecated=True),
    )
    answer = body(page(model_rows(told)))
    new, old = (
        anthropic.types.ModelInfo.model_validate(row, strict=False) for row in answer["data"]
    )
    assert (new.id, new.type, new.display_name) == ("meta-llama/llama-4-x", "model", "Llama 4 X")
    assert new.created_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert (new.lifecycle, new.max_input_tokens, new.max_tokens) == ("active", 1000, 100)
    assert (old.lifecycle, old.max_input_tokens, old.created_at.year) == ("deprecated", None, 1970)
