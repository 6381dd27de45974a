"""Azure OpenAI: both forms of its addresses, and what its content filter says.

Source of the shapes: learn.microsoft.com, "Content filtering", "How to use content filters".
"""

import json
from typing import Any

import pytest

from dragoman.catalog.types import Provider
from dragoman.providers.dialect import Kind
from dragoman.providers.openai.azure import DEFAULT_VERSION
from dragoman.providers.registry import DIALECTS
from dragoman.wire.hub import Chunk, Text
from tests.providers.openai_calls import call, endpoint, provider

AZURE = DIALECTS["azure"]
OK = {"filtered": False, "severity": "safe"}
RESULTS = {
    "hate": OK,
    "self_harm": OK,
    "sexual": OK,
    "violence": OK,
    "jailbreak": {"filtered": False},
}


def row(**headers: str) -> Provider:
    return provider(dialect="azure", base_url="https://r.test/openai", headers=headers)


def test_the_deployment_is_in_the_path() -> None:
    made = AZURE.request(call(""), endpoint(), row())
    assert made.path == f"/deployments/turbo-1/chat/completions?api-version={DEFAULT_VERSION}"
    assert json.loads(made.body)["model"] == "turbo-1"


def test_the_row_says_which_version() -> None:
    made = AZURE.request(
        call(""), endpoint(), row(**{"API-Version": "2025-01-01-preview", "X": "y"})
    )
    assert made.path.endswith("?api-version=2025-01-01-preview")
    assert ("X", "y") in made.headers
    assert "api-version" not in {name.lower() for name, _ in made.headers}


def test_the_newer_address_is_openais() -> None:
    made = DIALECTS["openai"].request(call(""), endpoint(), provider())
    assert made.path == "/chat/completions"


def fed(*events: dict[str, Any]) -> list[Chunk | Text | None]:
    decoder = AZURE.decoder()
    return [decoder.feed(json.dumps(event).encode()) for event in events]


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, **({} if delta is None else {"delta": delta})}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice | more]}


def test_a_stream_with_the_filters_words_is_a_stream() -> None:
    prompt = {"choices": [], "id": "", "model": "", "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": RESULTS}]}  # fmt: skip
    offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
    found = fed(
        prompt,
        chunk({"role": "assistant", "content": "", "refusal": None}, content_filter_results={}),
        chunk({"content": "Hi"}, content_filter_results=RESULTS),
        chunk({"content": " you"}, content_filter_results=RESULTS),
        # The filter that runs beside the answer tells its results in chunks of their own.
        chunk(None, content_filter_results=RESULTS, content_filter_offsets=offsets),
        chunk({}, "stop", content_filter_results={}),
    )
    texts = [
        json.loads(
            bytes(each.pieces[0].delta["content"]) if isinstance(each, Chunk) else each.content
        )
        for each in found
        if isinstance(each, Text) or (each and "content" in each.pieces[0].delta)
    ]
    assert [text for text in texts if text] == ["Hi", " you"]
    last = found[-1]
    assert isinstance(last, Chunk)
    assert last.pieces[0].finish_reason == "stop"


def test_an_answer_that_was_cut_by_the_filter_says_so() -> None:
    (found,) = fed(chunk({}, "content_filter", content_filter_results=RESULTS))
    assert isinstance(found, Chunk)
    assert found.pieces[0].finish_reason == "content_filter"
    message = {"role": "assistant", "content": "Hi"}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "stop",
        "content_filter_results": RESULTS,
    }
    whole = {"id": "c", "choices": [choice], "prompt_filter_results": [{"prompt_index": 0}]}
    answer = AZURE.answer(json.dumps(whole).encode())
    assert answer.choices[0].finish_reason == "stop"


def refusal(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "error_type"),
    [
        (
            400,
            refusal(
                message="The response was filtered", type=None, param="prompt",
                code="content_filter", status=400,
                innererror={
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
                },
            ),
            Kind.CALLER,
            "content_policy_violation",
        ),
        (401, refusal(code="401", message="no"), Kind.CREDENTIAL, "provider_unavailable"),
        (404, refusal(code="DeploymentNotFound"), Kind.TRANSIENT, "provider_unavailable"),
        (429, refusal(code="429", message="Rate limit"), Kind.RATE, "rate_limit_exceeded"),
    ],
)  # fmt: skip
def test_what_azure_refuses(status: int, body: bytes, kind: Kind, error_type: str) -> None:
    fault = AZURE.fault(status, {}, body)
    assert (fault.kind, fault.error_type) == (kind, error_type)
