"""What lets in at Bedrock and Azure: keys of their own, and the clouds' environments on request."""

import pytest

from dragoman.catalog import shipped
from dragoman.catalog.hosts import Hosts, hosts
from dragoman.catalog.options import ProviderOptions

ROWS = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
AWS = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}
AZURE = {"AZURE_RESOURCE_NAME": "acme", "AZURE_CLIENT_SECRET": "s"}
SIGNED = {"amazon-bedrock": ProviderOptions(auth="sigv4")}
ENTRA = {"azure": ProviderOptions(auth="entra")}


def opened(found: Hosts, slug: str) -> list[tuple[str, str]]:
    return [(c.secret.reveal(), c.source) for c in found.credentials if c.provider == slug]


def test_bedrocks_own_key_is_found_and_switches_it_on() -> None:
    found = hosts(ROWS, {}, {"AWS_REGION": "eu-west-1", "AWS_BEARER_TOKEN_BEDROCK": "ABSK"})
    assert opened(found, "amazon-bedrock") == [("ABSK", "AWS_BEARER_TOKEN_BEDROCK")]
    row = found.providers["amazon-bedrock"]
    assert row.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert (row.auth, row.dialect) == ("sigv4", "bedrock")


def test_an_access_key_switches_nothing_on_by_itself() -> None:
    found = hosts(ROWS, {}, AWS)
    assert "amazon-bedrock" not in found.configured
    assert "AWS_ACCESS_KEY_ID" in [each.variable for each in found.found]


def test_the_operator_may_say_that_it_does() -> None:
    found = hosts(ROWS, SIGNED, AWS)
    assert opened(found, "amazon-bedrock") == [("", "AWS's environment")]
    assert "amazon-bedrock" in found.configured
    own = hosts(ROWS, SIGNED, AWS | {"AWS_BEARER_TOKEN_BEDROCK": "ABSK"})
    assert opened(own, "amazon-bedrock") == [("ABSK", "AWS_BEARER_TOKEN_BEDROCK")]


def test_a_region_has_two_names() -> None:
    environ = {"AWS_DEFAULT_REGION": "ap-south-1", "AWS_BEARER_TOKEN_BEDROCK": "k"}
    url = hosts(ROWS, {}, environ).providers["amazon-bedrock"].base_url
    assert url == "https://bedrock-runtime.ap-south-1.amazonaws.com"
    both = hosts(ROWS, {}, environ | {"AWS_REGION": "us-east-2"}).providers["amazon-bedrock"]
    assert "us-east-2" in both.base_url


@pytest.mark.parametrize("options", [{}, SIGNED])
def test_without_a_region_there_is_no_host(options: dict[str, ProviderOptions]) -> None:
    found = hosts(ROWS, options, {"AWS_BEARER_TOKEN_BEDROCK": "k"})
    assert "amazon-bedrock" not in found.configured


def test_azure_takes_its_key_unless_entra_is_asked_for() -> None:
    environ = AZURE | {"AZURE_OPENAI_API_KEY": "key"}
    assert opened(hosts(ROWS, {}, environ), "azure") == [("key", "AZURE_OPENAI_API_KEY")]
    found = hosts(ROWS, ENTRA, environ)
    assert opened(found, "azure") == [("", "Azure's environment")]
    assert found.providers["azure"].base_url == "https://acme.openai.azure.com/openai/v1"
    assert "azure" not in hosts(ROWS, {}, AZURE).configured


def test_an_application_may_be_given_in_the_file() -> None:
    text = '{\n "tenant_id": "t"\n}'
    found = hosts(ROWS, {"azure": ProviderOptions(auth="entra", api_key=text)}, AZURE)
    assert opened(found, "azure") == [('{"tenant_id":"t"}', "dragoman.yaml")]
