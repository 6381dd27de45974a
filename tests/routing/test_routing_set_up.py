"""What an operator is told to set before a provider can be called."""

import pytest

from dragoman.catalog.types import Provider
from dragoman.routing.excluded import set_up

CLOUD = "https://{CLOUD_REGION}.cloud.example/{CLOUD_PROJECT}/{CLOUD_REGION}"


@pytest.mark.parametrize(
    ("base_url", "keys", "said"),
    [
        ("https://a.example", ("A_KEY", "A"), "set A_KEY"),
        ("https://a.example", (), "configure providers.acme in dragoman.yaml"),
        ("https://{A_NAME}.example", ("A_KEY",), "set A_KEY and A_NAME"),
        (CLOUD, ("A_KEY",), "set A_KEY, CLOUD_REGION and CLOUD_PROJECT"),
        (
            "https://{A_HOST}/v1",
            (),
            "configure providers.acme in dragoman.yaml, and set A_HOST",
        ),
    ],
)
def test_all_that_has_to_be_set_is_named(base_url: str, keys: tuple[str, ...], said: str) -> None:
    row = Provider(slug="acme", name="Acme", dialect="openai", base_url=base_url, keys=keys)
    assert set_up("acme", {"acme": row}) == said
