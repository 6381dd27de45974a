"""The addresses that people give for a gateway, with or without the path of its API."""

import pytest

from dragoman.wire.address import HERE, api_base


@pytest.mark.parametrize(
    ("given", "base"),
    [
        (HERE, HERE),
        ("http://127.0.0.1:4000", HERE),
        ("http://127.0.0.1:4000/", HERE),
        ("http://127.0.0.1:4000/api/", HERE),
        ("http://127.0.0.1:4000/v1", "http://127.0.0.1:4000/v1"),
        ("https://[::1]", "https://[::1]/api/v1"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("https://example.com/llm/api/v1", "https://example.com/llm/api/v1"),
        ("https://example.com/llm", "https://example.com/llm"),
        ("127.0.0.1:4000", "127.0.0.1:4000"),
        ("http://", "http:"),
        ("", ""),
    ],
)
def test_an_address_without_a_path_is_one_of_the_api(given: str, base: str) -> None:
    assert api_base(given) == base
