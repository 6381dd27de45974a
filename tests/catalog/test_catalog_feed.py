"""The feed of models, read by a parser that forgives nothing."""

from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.feed import feed
from dragoman.catalog.types import Model
from tests.catalog.models import CHEAP, catalog, endpoint, model, model_rows


def read(*models: Model) -> ET.Element:
    root = ET.fromstring(feed(model_rows(catalog(*models)), "https://gate.example"))
    assert (root.tag, root.attrib) == ("rss", {"version": "2.0"})
    channel = root.find("channel")
    assert channel is not None
    return channel


def test_a_feed() -> None:
    channel = read(
        model(endpoint("a", CHEAP), description="Good & <cheap>"),
        model(endpoint("a", CHEAP), id="x/undated", created=0),
    )
    assert channel.findtext("title") == "Dragoman models"
    assert channel.findtext("link") == "https://gate.example/api/v1/models"
    first, undated = channel.findall("item")
    assert first.findtext("title") == "Llama 4 X"
    assert first.findtext("description") == "Good & <cheap>"
    assert first.findtext("link") == (
        "https://gate.example/api/v1/models/meta-llama/llama-4-x/endpoints"
    )
    assert first.findtext("guid") == "meta-llama/llama-4-x"
    assert parsedate_to_datetime(first.findtext("pubDate") or "").timestamp() == 1_700_000_000
    assert undated.find("pubDate") is None


def test_no_models_are_a_feed_without_items() -> None:
    assert read().find("item") is None


@given(st.text())
def test_whatever_a_model_is_called_the_feed_can_be_read(name: str) -> None:
    item = read(model(endpoint("a", CHEAP), name=name, description=name)).find("item")
    assert item is not None
    if name.isprintable():
        assert (item.findtext("title"), item.findtext("description")) == (name, name)
