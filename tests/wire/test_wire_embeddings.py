"""Embeddings on the client's side: what may be asked, and vectors in the form asked for."""

import json
import struct
import sys
from base64 import b64decode, b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from dragoman.core.errors import GatewayError, InvalidRequest
from dragoman.wire import other_kinds
from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.embeddings import EMBEDDINGS, read_vectors
from dragoman.wire.hub import LARGE_BYTES, Answer
from dragoman.wire.usage import Usage

STAMP = Stamp(id="gen-1", created=7, model="a/b", provider="A")
SPENT = Spent(Usage(prompt=3), Billing(cost=0.5, upstream=0.5, prompt=0.5, completion=0.0))
IMAGE = {"type": "image_url", "image_url": {"url": "https://x.example/y.png"}}
single = st.floats(width=32, allow_nan=False, allow_infinity=False)


def parse(**body: Any) -> ChatCall:
    return EMBEDDINGS.parse(json.dumps({"model": "a/b", "input": "hi"} | body).encode(), {})


def packed(numbers: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def host(*vectors: Any, **more: Any) -> bytes:
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "m"} | more).encode()


def answer(native: bytes, **body: Any) -> Any:
    told = Told(stamp=STAMP, call=parse(**body), native=True)
    return json.loads(EMBEDDINGS.answer(told, Answer(choices=(), native=native), SPENT, b""))


@pytest.mark.parametrize(
    ("given_", "text", "prompts", "window"),
    [
        ("héllo", 6, 1, 6),
        (["a", "bcd"], 4, 2, 3),
        ([1, 2, 3], 12, 1, 12),
        ([[1, 2], [3]], 12, 2, 8),
        ([{"content": [{"type": "text", "text": "ab"}, IMAGE]}], 2, 1, 2),
    ],
)
def test_an_input_is_measured(given_: Any, text: int, prompts: int, window: int) -> None:
    call = parse(input=given_)
    assert (call.text_bytes, call.prompts, call.window_bytes) == (text, prompts, window)
    assert call.kind == "embeddings"
    assert (call.outputs, call.stream, call.max_tokens) == (
        frozenset({"embeddings"}), False, 0,
    )  # fmt: skip
    assert json.loads(bytes(call.members["input"])) == given_


def test_parts_say_what_goes_in() -> None:
    assert parse().inputs == {"text"}
    assert parse(input=[{"content": [IMAGE]}]).inputs == {"image"}


@pytest.mark.parametrize(
    ("part", "modality"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, "audio"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
        ({"type": "input_video", "input_video": {"data": "data:video/mp4;base64,AA"}}, "video"),
        ({"type": "input_video", "video_url": {"url": "https://a/b.mp4"}}, "video"),
        ({"type": "input_file", "input_file": {"data": "data:application/pdf;base64,AA"}}, "file"),
    ],
)
def test_media_are_written_as_openrouters_schema_has_them(
    part: dict[str, Any], modality: str
) -> None:
    assert parse(input=[{"content": [part]}]).inputs == {modality}


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (
            {"input": [{"content": [{"type": "text", "text": "a"}, {"type": "input_video"}]}]},
            "input.0.content.1.input_video: is required",
        ),
        ({"input": [{"content": [{"type": "input_file"}]}]}, "input.0.content.0.input_file: is"),
        ({"input": ""}, "input: must be a string of at least 1 character"),
        ({"input": []}, "input: must be"),
        ({"input": ["a", ""]}, "input.1: must be a string of at least 1 character"),
        ({"input": [[1], []]}, "input.1: must not be empty"),
        ({"input": ["a", 1]}, "input: must hold items of one sort"),
        ({"input": [1, [2]]}, "input: must hold items of one sort"),
        ({"input": [{"content": []}]}, "input.0.content: must be"),
        ({"input": [{"content": [{"type": "poem"}]}]}, "input.0.content.0.type: Invalid option"),
        ({"input": None}, "input: must be"),
        ({"input": [-1]}, "input.0: must be"),
        ({"encoding_format": "int8"}, "encoding_format: Invalid option"),
        ({"dimensions": 0}, "dimensions: must be"),
        ({"stream": True}, "stream: there is no stream of embeddings"),
        ({"model": ""}, "model: "),
        ({"model": None}, "model: is required"),
        ({"user": "a\nb"}, "user: must not contain control characters"),
        ({"api_base": "http://evil"}, "api_base: is not accepted"),
        ({"provider": {"sort": "fame"}}, "provider.sort"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(body: dict[str, Any], begins: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(**body)
    assert refused.value.message.startswith(begins), refused.value.message


def test_wishes_of_chat_are_the_same_here() -> None:
    call = parse(
        models=["c/d"], provider={"only": ["x"], "odd": 1}, user="u", plugins=[{"id": "web"}],
        metadata={"a": "b"}, debug={"echo_upstream_body": True},
    )  # fmt: skip
    assert call.models == ("a/b", "c/d")
    assert call.preferences.only == ("x",)
    assert call.not_applied == ("provider.odd", "plugins")
    assert (call.user, call.tags, call.echo_upstream_body) == ("u", {"a": "b"}, True)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    assert status_of(body) in {200, 400}


def test_deep_nesting_is_refused() -> None:
    assert status_of(b'{"model":"a/b","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}") == 400


def status_of(body: bytes) -> int:
    try:
        EMBEDDINGS.parse(body, {})
    except GatewayError as error:
        return error.code
    return 200


def test_vectors_in_the_form_asked_for_pass_with_their_bytes() -> None:
    native = b'{"data":[ {"index":0, "object":"embedding", "embedding":[1.50, -2e-3]}]}'
    told = Told(stamp=STAMP, call=parse(), native=True)
    body = EMBEDDINGS.answer(told, Answer(choices=(), native=native), SPENT, b',"x":1')
    assert b'"data":[ {"index":0, "object":"embedding", "embedding":[1.50, -2e-3]}]' in body
    parsed = json.loads(body)
    assert CreateEmbeddingResponse.model_validate(parsed, strict=True).data[0].embedding[0] == 1.5
    assert parsed["usage"] == {
        "prompt_tokens": 3, "total_tokens": 3, "cost": 0.5, "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": 0.5, "upstream_inference_prompt_cost": 0.5,
            "upstream_inference_completions_cost": 0.0,
        },
    }  # fmt: skip
    assert (parsed["id"], parsed["model"], parsed["provider"], parsed["x"]) == (
        "gen-1", "a/b", "A", 1,
    )  # fmt: skip


@given(st.lists(st.lists(single, max_size=8), min_size=1, max_size=4))
def test_the_other_form_is_made_and_says_the_same(vectors: list[list[float]]) -> None:
    as_text = answer(host(*vectors), encoding_format="base64")["data"]
    assert [each["embedding"] for each in as_text] == [packed(each) for each in vectors]
    again = answer(host(*[each["embedding"] for each in as_text]), encoding_format="float")["data"]
    assert [each["embedding"] for each in again] == vectors
    assert [each["index"] for each in again] == [*range(len(vectors))]


def test_base64_is_decoded_where_no_form_was_asked_for() -> None:
    (row,) = answer(host(packed([0.5, 2.0])))["data"]
    assert row == {"object": "embedding", "index": 0, "embedding": [0.5, 2.0]}
    (row,) = answer(host(packed([0.5, 2.0])), encoding_format="base64")["data"]
    assert struct.unpack("<2f", b64decode(row["embedding"])) == (0.5, 2.0)


def test_a_form_is_found_however_long_the_way_there() -> None:
    data = [{"object": "x" * 5000, "embedding": [0.5]}]
    (row,) = answer(json.dumps({"data": data}).encode(), encoding_format="base64")["data"]
    assert row["embedding"] == packed([0.5])
    assert row["index"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"data":5}', b'{"data":[]}', b'{"data":[{}]}', b'{"data":[5]}',
        b'{"data":[{"embedding":5}]}', b'{"data":[{"embedding":null}]}',
        b'{"data":[{"embedding":[[1.0]]}]}', b'{"data":[{"embedding":["1"]}]}',
        b'{"data":[{"embedding":[true]}]}', b'{"data":[{"embedding":"###"}]}',
        b'{"data":[{"embedding":"AAA="}]}', b'{"data":[{"embedding":""}]}',
        b'{"data":[{"embedding":"AAAA"}]}', b'{"data":[{"embedding":[1.0',
        b'{"data":[{"embedding":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_vector_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its sorts
        read_vectors(body)


@given(st.binary(max_size=300))
def test_only_value_errors_come_out_of_a_reader(body: bytes) -> None:
    for source in (body, b'{"data":[{"embedding":' + body + b"}]}"):
        try:
            read_vectors(source)
        except ValueError:
            continue


def test_both_forms_are_vectors() -> None:
    vectors = read_vectors(host([0.5, 1.0], packed([2.0])))
    assert [each.index for each in vectors] == [0, 1]


def test_vectors_in_both_forms_come_in_one() -> None:
    both = host([0.5], packed([2.0]))
    as_text = answer(both, encoding_format="base64")["data"]
    assert [each["embedding"] for each in as_text] == [packed([0.5]), packed([2.0])]
    turned = answer(host(packed([2.0]), [0.5]))["data"]
    assert [each["embedding"] for each in turned] == [[2.0], [0.5]]


def test_the_order_of_bytes_on_the_wire_is_not_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "byteorder", "big" if sys.byteorder == "little" else "little")
    (row,) = answer(host([0.5]), encoding_format="base64")["data"]
    assert b64decode(row["embedding"]) == struct.pack("<f", 0.5)[::-1]


def test_what_nests_too_deep_for_its_types_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(_: bytes) -> None:
        raise RecursionError

    decoder = SimpleNamespace(decode=too_deep)
    monkeypatch.setattr("msgspec.json.Decoder", lambda _: decoder)
    reader = other_kinds.Reader(other_kinds.CommonFields)
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        reader.read(b"{}")


LARGE = [[0.5, 0.25]] * (LARGE_BYTES // 12)


@pytest.mark.parametrize("vector", [[0.5, 0.25], packed([0.5, 0.25])])
def test_of_many_vectors_only_the_ends_are_looked_at(vector: Any) -> None:
    body = host(*[vector] * len(LARGE), usage={"prompt_tokens": 3})
    form = "float" if isinstance(vector, list) else "base64"
    assert EMBEDDINGS.wanted(parse(encoding_format=form), body) is body
    rows = answer(body, encoding_format=form)["data"]
    assert rows == json.loads(body)["data"]


@pytest.mark.parametrize(
    "more",
    [
        {"warnings": [1]},
        {"warnings": [{"a": [2]}]},
        {"warnings": "]"},
        {"warnings": '"embedding"'},
        {"usage": {"details": []}},
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_what_else_an_answer_holds_is_not_taken_for_its_vectors(
    more: dict[str, Any], *, first: bool
) -> None:
    found = json.loads(host(*LARGE))
    body = json.dumps({**more, **found} if first else {**found, **more}).encode()
    assert answer(body)["data"] == found["data"]
    assert list(answer(body)) == list(answer(host([0.5])))


def test_many_vectors_are_rewritten_whatever_their_answer_looks_like() -> None:
    body = json.dumps({"x": {"data": [1]}, "data": json.loads(host(*LARGE))["data"]}).encode()
    call = parse(encoding_format="base64")
    for made in (EMBEDDINGS.wanted(call, body), EMBEDDINGS.wanted(call, host(*LARGE))):
        assert json.loads(made)["data"][-1]["embedding"] == packed([0.5, 0.25])
