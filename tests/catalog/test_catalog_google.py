"""Where Vertex AI is, what lets in there, and what is spoken with its models."""

import pytest

from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped, assemble
from dragoman.catalog.hosts import Hosts, hosts
from dragoman.catalog.options import Declared, ProviderOptions
from dragoman.catalog.types import Endpoint
from dragoman.providers.registry import DIALECTS

ROWS = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
SET = {"GOOGLE_VERTEX_PROJECT": "acme", "GOOGLE_VERTEX_LOCATION": "europe-west4"}
PATH = "/v1/projects/acme/locations/"


@pytest.fixture(scope="module")
def package() -> Shipped:
    return shipped.load()


def opened(found: Hosts) -> list[tuple[str, str]]:
    return [
        (each.secret.reveal(), each.source)
        for each in found.credentials
        if each.provider == "google-vertex"
    ]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_location_has_a_host(location: str, host: str) -> None:
    for names in (SET, {"VERTEX_PROJECT": "acme", "VERTEX_LOCATION": "x"}):
        environ = {**names, list(names)[1]: location}
        row = hosts(ROWS, {}, environ).providers["google-vertex"]
        assert row.base_url == f"https://{host}{PATH}{location}"


def test_project_and_location_together_switch_it_on() -> None:
    assert opened(hosts(ROWS, {}, SET)) == [("", "application default credentials")]
    assert "google-vertex" in hosts(ROWS, {}, SET).configured


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"},
        {"GOOGLE_CLOUD_PROJECT": "acme", "GOOGLE_CLOUD_LOCATION": "global"},
        {"GOOGLE_VERTEX_PROJECT": "acme"},
        {"GOOGLE_VERTEX_LOCATION": "global", "GOOGLE_VERTEX_CREDENTIALS": "/key.json"},
    ],
)
def test_nothing_else_does(environ: dict[str, str]) -> None:
    found = hosts(ROWS, {}, environ)
    assert "google-vertex" not in found.configured
    assert opened(found) == []


def test_what_is_used_is_not_called_left_alone() -> None:
    named = {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}
    assert [each.variable for each in hosts(ROWS, {}, named).found] == list(named)
    assert hosts(ROWS, {}, SET | named).found == ()
    own = {"GOOGLE_VERTEX_CREDENTIALS": "/other.json"}
    assert [each.variable for each in hosts(ROWS, {}, SET | named | own).found] == list(named)


def test_a_credential_is_json_on_one_line_or_a_path() -> None:
    key = '{\n  "type": "service_account",\n  "private_key": "a\\nb"\n}\n'
    line = '{"type":"service_account","private_key":"a\\nb"}'
    environ = {**SET, "GOOGLE_VERTEX_CREDENTIALS": key}
    assert opened(hosts(ROWS, {}, environ)) == [(line, "GOOGLE_VERTEX_CREDENTIALS")]
    options = {"google-vertex": ProviderOptions(api_key="/run/key.json")}
    assert opened(hosts(ROWS, options, environ)) == [("/run/key.json", "dragoman.yaml")]


def test_it_can_be_switched_off() -> None:
    options = {"google-vertex": ProviderOptions(enabled=False)}
    assert opened(hosts(ROWS, options, SET)) == []


def served(package: Shipped, *dialects: str) -> dict[str, Endpoint]:
    catalog = assemble(
        package, hosts(ROWS, {}, SET), Declared(), dialects=frozenset(dialects), now=1_790_000_000
    )
    return {
        endpoint.upstream: endpoint
        for model in catalog.models.values()
        for endpoint in model.endpoints
        if endpoint.provider == "google-vertex" and endpoint.status != "deprecated"
    }


def test_what_is_spoken_depends_on_the_model(package: Shipped) -> None:
    found = served(package, "vertex", "vertex-openai")
    spoken = {name: each.dialect for name, each in found.items()}
    assert spoken["gemini-2.5-pro"] is None
    assert spoken["zai-org/glm-5-maas"] == "vertex-openai"
    assert spoken["claude-sonnet-5@default"] == "vertex-anthropic"
    assert found["gemini-2.5-pro"].status == found["zai-org/glm-5-maas"].status == "active"
    assert found["claude-sonnet-5@default"].status == "inactive"


def test_an_endpoint_is_active_once_its_dialect_is_there(package: Shipped) -> None:
    found = served(package, "vertex-anthropic")
    assert found["claude-sonnet-5@default"].status == "active"
    assert found["gemini-2.5-pro"].status == "inactive"


def test_what_embeds_is_spoken_to_in_a_dialect_of_its_own(package: Shipped) -> None:
    found = served(package, "vertex")["gemini-embedding-001"]
    assert (found.dialect, found.status) == ("vertex-embeddings", "inactive")
    assert served(package, *DIALECTS)["gemini-embedding-001"].status == "active"


def test_gemini_thinks_and_takes_seeds(package: Shipped) -> None:
    supports = served(package, "vertex")["gemini-2.5-flash"].supports
    assert {"reasoning", "reasoning_effort", "include_reasoning", "seed"} <= supports
