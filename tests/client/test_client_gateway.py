"""The client against a real gateway, and the calls of snippets, which find it by themselves."""

import time

import pytest

from dragoman.client import (
    AsyncClient,
    ChatCompletion,
    Client,
    InvalidRequest,
    NotFound,
    Record,
    ServerFailed,
    Unauthenticated,
    alist_models,
    list_models,
)
from tests.cli.command import Running

HELLO = [{"role": "user", "content": "Hello!"}]
FALLS = [{"role": "user", "content": "One two three four. [[fault:cut 2]]"}]
DOWN = [{"role": "user", "content": "[[fault:status 503]]"}]


@pytest.fixture
def here(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The gateway, as the environment names it."""
    monkeypatch.setenv("DRAGOMAN_URL", gateway.base)
    monkeypatch.setenv("DRAGOMAN_API_KEY", gateway.key)
    return gateway


def recorded(client: Client, id_: str) -> Record:
    """Return the record of an answer, which comes a moment after it."""
    until = time.monotonic() + 20
    while True:
        try:
            return client.generation(id_)
        except NotFound:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.usefixtures("here")
def test_an_answer_its_record_and_its_key() -> None:
    with Client() as client:
        answer = client.chat.create(
            model="demo/parrot",
            fallback_models=["demo/scholar"],
            messages=HELLO,
            routing_preference="cost",
        )
        assert answer.text == "Hello!"
        assert answer.provider == "Demo Thrifty"
        assert answer.usage.cost > 0
        assert recorded(client, answer.id).provider_name == "Demo Thrifty"
        assert client.key().limit is None


@pytest.mark.usefixtures("here")
def test_what_can_be_called_is_listed() -> None:
    ids = [model.id for model in list_models(sort_by="cost", capability=["tools", "vision"])]
    assert ids == ["demo/parrot", "demo/scholar"]
    with Client() as client:
        assert client.models.get("demo/parrot").context_length == 131_072
        assert len(client.models.endpoints("demo/parrot")) == 3
        with pytest.raises(InvalidRequest, match="supported_parameters: 'magic' is not one of"):
            client.models.list(capability="magic")
        with pytest.raises(NotFound, match="demo/parrot"):
            client.models.get("demo/parot")


@pytest.mark.usefixtures("here")
def test_the_calls_of_snippets_stream_and_do_not() -> None:
    assert ChatCompletion.create(model="demo/parrot", messages=HELLO).text == "Hello!"
    stream = ChatCompletion.create(model="demo/parrot", messages=HELLO, stream=True)
    chunks = list(stream)
    assert "".join(chunk.text for chunk in chunks) == "Hello!"
    assert chunks[-1].usage.cost > 0


@pytest.mark.usefixtures("here")
async def test_the_asynchronous_calls_of_snippets_stream_and_do_not() -> None:
    answer = await ChatCompletion.acreate(model="demo/parrot", messages=HELLO)
    assert answer.text == "Hello!"
    stream = await ChatCompletion.acreate(model="demo/parrot", messages=HELLO, stream=True)
    assert "".join([chunk.text async for chunk in stream]) == "Hello!"
    stream = await ChatCompletion.acreate(model="demo/parrot", messages=HELLO, stream=True)
    await stream.aclose()
    assert [model.id for model in await alist_models(capability="reasoning")]


@pytest.mark.usefixtures("here")
async def test_a_refused_snippet_leaves_nothing_behind() -> None:
    with pytest.raises(InvalidRequest):
        await ChatCompletion.acreate(model="demo/parrot", messages=[], stream=True)
    with pytest.raises(InvalidRequest):
        ChatCompletion.create(model="demo/parrot", messages=[], stream=True)


def test_a_stream_that_falls_raises_after_what_was_said(here: Running) -> None:
    with (
        Client(here.base, here.key) as client,
        client.chat.create(model="demo/parrot", messages=FALLS, stream=True) as chunks,
    ):
        assert next(chunks)
        with pytest.raises(ServerFailed) as caught:
            list(chunks)
    assert caught.value.error_type == "provider_unavailable"


async def test_failures_keep_the_type_that_the_gateway_gave_them(gateway: Running) -> None:
    async with AsyncClient(gateway.base, gateway.key, retries=0) as client:
        with pytest.raises(ServerFailed) as caught:
            await client.chat.create(model="demo/parrot", messages=DOWN)
    assert caught.value.error_type == "provider_overloaded"
    async with AsyncClient(gateway.base, "sk-dm-v1-wrong") as client:
        with pytest.raises(Unauthenticated):
            await client.key()
