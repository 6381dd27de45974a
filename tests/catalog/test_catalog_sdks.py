"""The bodies of the catalog's routes, read by the official clients' own models."""

import pytest
from openai.types import Model as OpenAiModel
from openrouter.components import ModelResponse, ModelsListResponse
from openrouter.operations import ListEndpointsResponse, ListProvidersResponse

from dragoman.catalog import listing, shipped
from dragoman.catalog.assemble import assemble
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import Declared
from dragoman.catalog.types import Catalog
from tests.catalog.models import body, endpoint, model, model_rows


@pytest.fixture(scope="module")
def whole() -> Catalog:
    """Return the shipped catalog with every host configured, the demo and a stranger besides."""
    package = shipped.load()
    keys = {row.keys[0]: "k" for row in package.providers.values() if row.keys}
    found = hosts(package.providers, {}, keys)
    stranger = model(endpoint("groq", None), id="house/x:1b", name="x", created=0)
    return assemble(package, found, Declared(demo="on"), discovered=[stranger])


def test_the_official_sdk_reads_the_list(whole: Catalog) -> None:
    answer = body(listing.page(model_rows(whole)))
    read = ModelsListResponse.model_validate(answer)
    assert read.total_count == len(read.data) == len(answer["data"]) >= 50
    mini = next(each for each in read.data if each.id == "openai/gpt-4o-mini")
    assert (mini.pricing.prompt, mini.pricing.completion) == ("0.00000015", "0.0000006")


def test_the_official_sdk_reads_one_model(whole: Catalog) -> None:
    found = listing.find(whole, "openai/gpt-oss-120b")
    assert found is not None
    answer = body({"data": listing.model_row(found)})
    assert ModelResponse.model_validate(answer).data.id == "openai/gpt-oss-120b"


def test_the_official_sdk_reads_the_endpoints(whole: Catalog) -> None:
    for each in whole.models.values():
        answer = body({"data": listing.model_endpoints(each)})
        read = ListEndpointsResponse.model_validate(answer).data
        assert [row.tag for row in read.endpoints] == [row.tag for row in each.endpoints]


def test_the_official_sdk_reads_the_providers(whole: Catalog) -> None:
    read = ListProvidersResponse.model_validate(body({"data": listing.provider_rows(whole)}))
    slugs = [each.slug for each in read.data]
    assert len(slugs) == len(whole.providers)
    assert slugs.index("anthropic") < slugs.index("groq") < slugs.index("xai")


def test_openais_sdk_reads_a_row(whole: Catalog) -> None:
    row = body(model_rows(whole)[0])
    read = OpenAiModel.model_validate(row, strict=True)
    assert (read.object, read.owned_by) == ("model", row["id"].partition("/")[0])
