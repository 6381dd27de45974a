"""Media that OpenAI's APIs get nearly as they came: what no host can read is not sent."""

import json
from typing import Any

import pytest

from dragoman.catalog.types import Quirks
from dragoman.core.errors import InvalidRequest
from dragoman.providers.data_urls import is_base64
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from tests.providers.openai_calls import endpoint, provider

KNOWN = frozenset({"image/png", "image/jpeg"})
CHATTERS = ("openai", "responses")
Part = dict[str, Any]


def image(url: str) -> Part:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: str) -> Part:
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}


def sound(data: str) -> Part:
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def send(dialect: str, part: Part, types: frozenset[str] = frozenset(), **host: Any) -> bytes:
    said = [{"role": "user", "content": "look"}, {"role": "user", "content": [part]}]
    call = parse_chat(json.dumps({"model": "acme/turbo", "messages": said}).encode())
    row = provider(dialect=dialect, quirks=Quirks(images=types), **host)
    return DIALECTS[dialect].request(call, endpoint(), row).body


@pytest.mark.parametrize("kind", ["host", "aggregator"])
@pytest.mark.parametrize("dialect", CHATTERS)
@pytest.mark.parametrize(
    ("part", "named"),
    [
        (image("data:image/png;base64,AA A"), "image_url.url: is not valid base64"),
        (image("data:image/png;base64,"), "image_url.url: is not valid base64"),
        (image("data:image/png,AAAA"), "image_url.url: the data must be in base64"),
        (image("data:image/png"), "image_url.url: must be a URL"),
        (file("data:application/pdf;base64,A"), "file.file_data: is not valid base64"),
        (file("no base64"), "file.file_data: is not valid base64"),
        (sound("A=AA"), "input_audio.data: is not valid base64"),
    ],
)
def test_data_that_is_no_base64_is_refused_by_name(
    dialect: str, kind: str, part: Part, named: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        send(dialect, part, kind=kind)
    assert str(refused.value).startswith(f"messages.1.content.0.{named}")


def test_a_video_is_looked_at_as_well() -> None:
    part = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,?"}}
    with pytest.raises(InvalidRequest, match=r"video_url\.url: is not valid base64"):
        send("openai", part)
    part["video_url"] = {"url": "https://a.example/v.mp4"}
    assert b"v.mp4" in send("openai", part)


@pytest.mark.parametrize("dialect", CHATTERS)
@pytest.mark.parametrize("media", ["image/tiff", "image/bmp", "image/svg+xml", "", "text/plain"])
def test_types_of_images_that_a_host_does_not_know_are_refused_by_name(
    dialect: str, media: str
) -> None:
    part = image(f"data:{media};base64,AAAA")
    with pytest.raises(InvalidRequest, match="Acme takes images of the types image/jpeg, image/pn"):
        send(dialect, part, KNOWN)
    assert f"data:{media};base64,AAAA".encode() in send(dialect, part)


@pytest.mark.parametrize("dialect", CHATTERS)
@pytest.mark.parametrize(
    "part",
    [
        image("DATA:image/PNG;charset=x;BASE64,AAA="),
        image("data:image/jpg;base64,_-\r\nA"),
        image("https://a.example/x.tiff"),
        file("data:application/pdf;base64,AAAA"),
        file("JVBERi0xLjcK"),
        file("gs://bucket/a.pdf"),
        sound("AAAA"),
    ],
)
def test_what_can_be_read_goes_as_it_came(dialect: str, part: Part) -> None:
    (inner,) = (value for name, value in part.items() if name != "type")
    told = next(value for name, value in inner.items() if name in {"url", "file_data", "data"})
    assert json.dumps(told).encode() in send(dialect, part, KNOWN)


def test_where_types_are_known_addresses_are_those_of_the_web() -> None:
    part = image("file:///etc/passwd")
    with pytest.raises(InvalidRequest, match="must be a URL that Acme can read"):
        send("openai", part, KNOWN)
    assert b"file:///" in send("openai", part)


@pytest.mark.parametrize(
    "url", ["data:image/bmp;base64,AAAA", "data:image/png;base64,?", "s3://a/b"]
)
def test_cohere_gets_images_that_it_can_read(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"messages\.1\.content\.0\.image_url\.url: "):
        send("cohere", image(url))
    assert b"image/webp" in send("cohere", image("data:image/webp;base64,AAAA"))


def test_gemini_is_told_of_jpeg_by_its_right_name() -> None:
    made = send("gemini", image("data:image/JPG;base64,AAAA"))
    assert json.loads(made)["contents"][-1]["parts"][-1] == {
        "inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}
    }


@pytest.mark.parametrize(
    ("data", "is_one"),
    [
        (b"", False), (b"=", False), (b"A", False), (b"AA", True), (b"AAA", True), (b"AAAA", True),
        (b"AA=", False), (b"AA==", True), (b"AAA=", True), (b"A===", False), (b"AA==AA", False),
        (b"AAAA\n", True), (b"AA\r\n==\r\n", True), (b"A-_/", True), (b"A A", False),
    ],
)  # fmt: skip
def test_what_base64_is(data: bytes, *, is_one: bool) -> None:
    assert is_base64(data) is is_one
