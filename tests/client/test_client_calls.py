"""What the client asks: which gateway, with which key, and with which body and query."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dragoman.client.calls import Calls, calls_to, chat_body
from dragoman.wire.address import HERE

NOWHERE: Mapping[str, str] = {}
DRAGOMAN = {"DRAGOMAN_API_KEY": "sk-dm-1", "OPENROUTER_API_KEY": "sk-or-1"}
OPENROUTER = {"OPENROUTER_API_KEY": "sk-or-1", "DRAGOMAN_API_KEY": ""}


def calls(
    base_url: str | None = None,
    api_key: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Calls:
    return calls_to((base_url, api_key), environ or {}, {"X-Title": "test"}, 30.0, 2)


def query(url: str) -> dict[str, str]:
    return {name: ",".join(values) for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize(
    ("base_url", "environ", "url"),
    [
        (None, {}, HERE),
        (None, {"DRAGOMAN_URL": "http://gateway:1/api/v1/"}, "http://gateway:1/api/v1"),
        (None, {"DRAGOMAN_URL": "http://gateway:1"}, "http://gateway:1/api/v1"),
        ("https://openrouter.ai/api/v1", {"DRAGOMAN_URL": "x"}, "https://openrouter.ai/api/v1"),
    ],
)
def test_an_argument_goes_before_the_environment_and_that_before_loopback(
    base_url: str | None, environ: dict[str, str], url: str
) -> None:
    assert calls(base_url, environ=environ).url == url


@pytest.mark.parametrize(
    ("api_key", "environ", "sent"),
    [
        ("sk-mine", DRAGOMAN, "Bearer sk-mine"),
        (None, DRAGOMAN, "Bearer sk-dm-1"),
        (None, OPENROUTER, "Bearer sk-or-1"),
        (None, {}, None),
    ],
)
def test_the_key_is_the_first_that_is_found(
    api_key: str | None, environ: dict[str, str], sent: str | None
) -> None:
    headers = dict(calls(None, api_key, environ).get("/key").headers)
    assert headers.get("Authorization") == sent
    assert headers["X-Title"] == "test"
    assert headers["User-Agent"].startswith("dragoman-client/")


@pytest.mark.parametrize("url", ["127.0.0.1:4000", "ftp://here/", "http://user:secret@here/"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        calls(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-1\n", "sk-…", "sk\r\nX-Evil: 1"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="the key") as caught:
        calls(None, key)
    assert key not in str(caught.value)


def test_a_key_is_not_printed() -> None:
    assert "sk-mine" not in repr(calls(None, "sk-mine"))


@pytest.mark.parametrize(
    ("wishes", "preference", "fallbacks", "added"),
    [
        ({}, None, (), {}),
        ({}, "cost", (), {"provider": {"sort": "price"}}),
        ({}, "price", (), {"provider": {"sort": "price"}}),
        ({}, "speed", (), {"provider": {"sort": "throughput"}}),
        ({}, "latency", (), {"provider": {"sort": "latency"}}),
        ({}, "magic", (), {"provider": {"sort": "magic"}}),
        (
            {"provider": {"only": ["groq"]}},
            "cost",
            (),
            {"provider": {"sort": "price", "only": ["groq"]}},
        ),
        ({"provider": {"sort": "latency"}}, "cost", (), {"provider": {"sort": "latency"}}),
        ({"provider": None}, "cost", (), {"provider": {"sort": "price"}}),
        ({}, None, ("a/b", "c/d"), {"models": ["a/b", "c/d"]}),
        ({"models": ["x/y"]}, None, ("a/b",), {"models": ["x/y", "a/b"]}),
        ({"seed": 1, "of tomorrow": True}, None, (), {}),
    ],
)
def test_plain_words_become_members_of_the_body(
    wishes: dict[str, Any], preference: str | None, fallbacks: tuple[str, ...], added: object
) -> None:
    before = dict(wishes)
    assert chat_body(wishes, preference, fallbacks) == before | dict(added)  # type: ignore[call-overload]
    assert wishes == before


@pytest.mark.parametrize(
    ("sort_by", "capability", "filters", "sent"),
    [
        (None, (), {}, {}),
        ("cost", "instruct", {}, {"sort": "pricing-low-to-high", "output_modalities": "text"}),
        ("top-weekly", (), {}, {"sort": "top-weekly"}),
        (None, "tools", {}, {"supported_parameters": "tools"}),
        (
            "context",
            ["tools", "vision", "json"],
            {},
            {
                "sort": "context-high-to-low",
                "supported_parameters": "tools,response_format",
                "input_modalities": "image",
            },
        ),
        (None, ["vision", "image", ""], {}, {"input_modalities": "image"}),
        (
            None,
            (),
            {"max_price": 1.5, "zdr": True, "providers": ["groq", "xai"], "q": "a b"},
            {"max_price": "1.5", "zdr": "true", "providers": "groq,xai", "q": "a b"},
        ),
    ],
)
def test_wishes_for_models_become_a_query(
    sort_by: str | None,
    capability: str | Iterable[str],
    filters: dict[str, object],
    sent: dict[str, str],
) -> None:
    request = calls().models(sort_by, capability, filters)
    assert urlsplit(request.url).path == "/api/v1/models"
    assert query(request.url) == sent


def test_a_model_is_asked_for_by_its_path() -> None:
    assert calls().model("a/b:free").url == f"{HERE}/model/a/b%3Afree"
    assert calls().endpoints("a/b").url == f"{HERE}/models/a/b/endpoints"
