"""Which providers can be called, and with what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Hosts, Incomplete, base_url, hosts
from dragoman.catalog.options import ModelOptions, ProviderOptions
from dragoman.catalog.types import DataPolicy, Provider

OPENAI = Provider(
    slug="openai",
    name="OpenAI",
    dialect="openai",
    base_url="https://api.openai.com/v1",
    keys=("OPENAI_API_KEY", "OPENAI_KEY"),
    headers={"X-Shipped": "1"},
)
XAI = Provider(
    slug="xai",
    name="xAI",
    dialect="openai",
    base_url="https://api.x.ai/v1",
    aliases=("x-ai",),
    keys=("XAI_API_KEY",),
)
AZURE = Provider(
    slug="azure",
    name="Azure",
    dialect="openai",
    base_url="https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
    keys=("AZURE_API_KEY",),
    auth="api-key",
)
DEMO = Provider(
    slug="demo-swift", name="Demo", dialect="demo", base_url="demo://demo-swift/v1", auth="none"
)
SHIPPED = {row.slug: row for row in (OPENAI, XAI, AZURE, DEMO)}
LOCAL = "http://127.0.0.1:9100/v1"


def of(slug: str, found: Hosts) -> list[tuple[str, str, str]]:
    """Return id, secret and source of a provider's credentials."""
    return [
        (each.id, each.secret.reveal(), each.source)
        for each in found.credentials
        if each.provider == slug
    ]


def test_with_nothing_configured_only_the_demo_providers_have_a_credential() -> None:
    found = hosts(SHIPPED, {}, {})
    assert found.configured == frozenset()
    assert [each.provider for each in found.credentials] == ["demo-swift"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OPENAI_API_KEY": "sk-1"}, [("openai:1", "sk-1", "OPENAI_API_KEY")]),
        ({"OPENAI_KEY": "sk-2"}, [("openai:1", "sk-2", "OPENAI_KEY")]),
        (
            {"OPENAI_KEY": "sk-2", "OPENAI_API_KEY": " sk-1\n"},
            [("openai:1", "sk-1", "OPENAI_API_KEY")],
        ),
        ({"OPENAI_API_KEY": ""}, []),
        ({"OPENAI_API_KEY": "  "}, []),
        ({"openai_api_key": "sk"}, []),
    ],
)
def test_a_variable_configures_its_host(
    environ: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    found = hosts(SHIPPED, {}, environ)
    assert of("openai", found) == expected
    assert ("openai" in found.configured) is bool(expected)


def test_several_keys_are_several_credentials_each_once_and_beat_the_environment() -> None:
    options = {"openai": ProviderOptions(api_key="a", api_keys=("b", "a", "", " c "))}
    found = hosts(SHIPPED, options, {"OPENAI_API_KEY": "env"})
    assert of("openai", found) == [
        ("openai:1", "a", "dragoman.yaml"),
        ("openai:2", "b", "dragoman.yaml"),
        ("openai:3", "c", "dragoman.yaml"),
    ]


def test_options_of_a_known_host_change_only_what_they_say() -> None:
    options = {
        "openai": ProviderOptions(
            base_url="https://proxy.example/openai/v1/",
            headers={"X-Team": "blue"},
            policy=DataPolicy(zdr=True),
            cancels=True,
        )
    }
    row = hosts(SHIPPED, options, {"OPENAI_API_KEY": "sk"}).providers["openai"]
    assert row.base_url == "https://proxy.example/openai/v1"
    assert row.headers == {"X-Shipped": "1", "X-Team": "blue"}
    assert (row.name, row.keys, row.cancels) == ("OpenAI", OPENAI.keys, True)
    assert row.policy == DataPolicy(zdr=True)


def test_an_empty_base_url_leaves_the_shipped_one() -> None:
    found = hosts(SHIPPED, {"openai": ProviderOptions(base_url="")}, {})
    assert found.providers["openai"].base_url == OPENAI.base_url


def test_a_disabled_host_is_known_but_not_configured() -> None:
    found = hosts(SHIPPED, {"openai": ProviderOptions(enabled=False)}, {"OPENAI_API_KEY": "sk"})
    assert "openai" in found.providers
    assert "openai" not in found.configured


def test_a_host_of_ones_own_without_a_key_needs_none() -> None:
    found = hosts(SHIPPED, {"acme": ProviderOptions(base_url=LOCAL)}, {})
    assert found.providers["acme"].auth == "none"
    assert of("acme", found) == [("acme:1", "", "no key needed")]
    assert found.configured == {"acme"}


def test_a_host_of_ones_own_with_a_key_sends_it() -> None:
    found = hosts({}, {"acme": ProviderOptions(base_url=LOCAL, api_key="none")}, {})
    assert found.providers["acme"].auth == "bearer"
    assert of("acme", found) == [("acme:1", "none", "dragoman.yaml")]


def test_a_host_that_wants_a_key_and_has_none_is_not_configured() -> None:
    found = hosts({}, {"acme": ProviderOptions(base_url=LOCAL, auth="bearer")}, {})
    assert found.configured == frozenset()


def test_a_template_is_filled_from_the_environment() -> None:
    environ = {"AZURE_API_KEY": "k", "AZURE_RESOURCE_NAME": "contoso"}
    found = hosts(SHIPPED, {}, environ)
    assert found.providers["azure"].base_url == "https://contoso.openai.azure.com/openai/v1"
    assert "azure" in found.configured


def test_a_template_that_cannot_be_filled_leaves_its_host_out() -> None:
    found = hosts(SHIPPED, {}, {"AZURE_API_KEY": "k"})
    assert "azure" not in found.configured
    lacks = ("AZURE_RESOURCE_NAME",)
    assert found.incomplete == (Incomplete(provider="azure", given="AZURE_API_KEY", missing=lacks),)
    by_file = hosts(SHIPPED, {"azure": ProviderOptions(api_key="k")}, {})
    assert by_file.incomplete == (Incomplete(provider="azure", given=None, missing=lacks),)


def test_a_cloud_that_was_given_a_part_of_its_address_names_the_rest() -> None:
    vertex = Provider(
        slug="google-vertex",
        name="Google",
        dialect="vertex",
        base_url="https://{GOOGLE_VERTEX_LOCATION}-x/{GOOGLE_VERTEX_PROJECT}/{GOOGLE_VERTEX_LOCATION}",
        auth="gcp",
        keys=("GOOGLE_VERTEX_CREDENTIALS",),
    )
    found = hosts({"google-vertex": vertex}, {}, {"VERTEX_PROJECT": "p"})
    assert found.incomplete == (
        Incomplete(
            provider="google-vertex",
            given="GOOGLE_VERTEX_PROJECT",
            missing=("GOOGLE_VERTEX_LOCATION",),
        ),
    )
    assert hosts({"google-vertex": vertex}, {}, {}).incomplete == ()


def test_a_host_that_is_switched_off_or_has_nothing_lacks_nothing() -> None:
    assert hosts(SHIPPED, {"azure": ProviderOptions(enabled=False)}, {}).incomplete == ()
    assert hosts(SHIPPED, {}, {"AZURE_RESOURCE_NAME": "contoso"}).incomplete == ()


def test_a_template_filled_with_nonsense_is_refused() -> None:
    with pytest.raises(CatalogError, match="azure"):
        hosts(SHIPPED, {}, {"AZURE_API_KEY": "k", "AZURE_RESOURCE_NAME": "a b"})


def test_general_variables_are_named_and_not_used() -> None:
    found = hosts(SHIPPED, {}, {"GITHUB_TOKEN": "t", "HF_TOKEN": ""})
    assert [(each.variable, each.service) for each in found.found] == [
        ("GITHUB_TOKEN", "GitHub Models")
    ]
    assert found.configured == frozenset()


@pytest.mark.parametrize(
    ("slug", "option", "expected"),
    [
        ("acme", ProviderOptions(base_url=LOCAL), True),
        ("acme", ProviderOptions(base_url=LOCAL, discover=False), False),
        ("acme", ProviderOptions(base_url=LOCAL, models={"a/b": ModelOptions()}), False),
        (
            "acme",
            ProviderOptions(base_url=LOCAL, models={"a/b": ModelOptions()}, discover=True),
            True,
        ),
        ("acme", ProviderOptions(base_url=LOCAL, enabled=False), False),
        ("openai", ProviderOptions(base_url=LOCAL), False),
        ("openai", ProviderOptions(discover=True), True),
    ],
)
def test_who_is_asked_for_models(slug: str, option: ProviderOptions, expected: bool) -> None:  # noqa: FBT001
    found = hosts(SHIPPED, {slug: option}, {"OPENAI_API_KEY": "sk"})
    assert (slug in found.discover) is expected


@pytest.mark.parametrize(
    ("slug", "option", "message"),
    [
        ("OpenAI", ProviderOptions(base_url=LOCAL), "providers.OpenAI: a slug is"),
        ("a/b", ProviderOptions(base_url=LOCAL), "providers.a/b: a slug is"),
        ("acme", ProviderOptions(), "providers.acme: .* give its base_url"),
        ("acme", ProviderOptions(base_url="ftp://x"), "providers.acme.base_url: "),
        ("demo-swift", ProviderOptions(), "providers.demo-swift: a demo provider"),
        ("x-ai", ProviderOptions(base_url=LOCAL), "providers.x-ai: the name 'x-ai' belongs to xai"),
        ("acme", ProviderOptions(base_url=LOCAL, name="OPENAI"), "belongs to openai"),
        ("acme", ProviderOptions(base_url=LOCAL, api_key="sk-ü"), "providers.acme: the key"),
        ("acme", ProviderOptions(base_url=LOCAL, api_key="a\nb"), "providers.acme: the key"),
        ("acme", ProviderOptions(base_url=LOCAL, headers={"A B": "x"}), "providers.acme.headers.A"),
        ("acme", ProviderOptions(base_url=LOCAL, headers={"Host": "x"}), "acme.headers.Host"),
        ("acme", ProviderOptions(base_url=LOCAL, headers={"X": "a\r\nb"}), "acme.headers.X"),
        ("acme", ProviderOptions(base_url=LOCAL, headers={"X": "ü"}), "acme.headers.X"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(
    slug: str, option: ProviderOptions, message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        hosts(SHIPPED, {slug: option}, {})


def test_no_message_repeats_a_key() -> None:
    with pytest.raises(CatalogError) as caught:
        hosts({}, {"acme": ProviderOptions(base_url=LOCAL, api_key="sk-sécret")}, {})
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:9100/v1", "http://127.0.0.1:9100/v1"),
        ("http://127.0.0.1:9100/v1///", "http://127.0.0.1:9100/v1"),
        ("HTTPS://Api.Example.COM/V1/", "https://api.example.com/V1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://example.com/", "https://example.com"),
    ],
)
def test_a_base_url_is_normalised(text: str, expected: str) -> None:
    assert base_url(text, "here") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/v1",
        "//example.com",
        "/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://:80/",
        "http://user:pass@example.com/v1",
        "http://user@example.com",
        "http://example.com/v1?key=1",
        "http://example.com/v1?",
        "http://example.com/v1#x",
        "http://exa mple.com",
        "http://example.com/\r\nHost: x",
        "http://bücher.example",
        "http://example.com:99999",
        "http://example.com:0",
        "http://example.com:port",
        "http://[::1",
        "http://{HOST}/v1",
        "http://a\\b/",
    ],
)
def test_what_is_no_base_url_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match=r"^here: "):
        base_url(text, "here")


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/v1?key=hidden",
        "https://example.com/v1#hidden",
        "https://user:hid den@example.com?hidden",
        "https://user:hidden/1@example.com",
        "ftp://user:hidden@example.com",
        "user:hidden@example.com",
        "https://user:hidden@example.com:port/v1",
    ],
)
def test_a_base_url_that_is_refused_is_told_without_what_may_be_a_secret(text: str) -> None:
    with pytest.raises(CatalogError) as refused:
        base_url(text, "here")
    assert "hid" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_a_base_url_or_a_refusal(text: str) -> None:
    try:
        url = base_url("http://" + text, "here")
    except CatalogError:
        return
    assert base_url(url, "here") == url
