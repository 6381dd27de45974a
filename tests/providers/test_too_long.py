"""Conversations that are too long, as the providers say it who have no code for it."""

import json

import pytest

from dragoman.providers.bedrock import faults as bedrock
from dragoman.providers.dialect import Kind
from dragoman.providers.openai.faults import fault, fault_of_stream
from dragoman.providers.too_long import says_too_long
from dragoman.wire.hub import StreamFault

SAID = (
    "prompt is too long: 208310 tokens > 200000 maximum",
    "The prompt is too long: 140000, model maximum context length: 131072",
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease one",
    "Input is too long for requested model.",
    "ValidationException: Input is too long for requested model.",
    "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
    "The input token count exceeds the maximum number of tokens allowed 1048576.",
    "Prompt contains 78521 tokens and 0 draft tokens, too large for model with 32768 maximum",
    "This model's maximum context length is 8192 tokens. However, your request has 8195 tokens.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "Requested token count exceeds the model's maximum context length of 8192 tokens.",
    "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
    "Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)",
    "Range of input length should be [1, 30720]",
    "invalid params, context window exceeds limit",
    "Please reduce the length of the messages or completion.",
    "prompt too long; exceeded max context length by 4096 tokens",
)
OTHERS = (
    "Invalid value: 'prompt is too long'. Supported values are: 'low' and 'high'.",
    "messages.0.content: the word `input is too long` is not allowed",
    "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens",
    "Rate limit reached: too many tokens per minute",
    "",
)


@pytest.mark.parametrize("sentence", SAID)
def test_a_sentence_that_refuses_a_length_is_known_where_no_code_says_so(sentence: str) -> None:
    body = json.dumps({"error": {"message": sentence, "type": "invalid_request_error"}}).encode()
    assert fault(400, {}, body).error_type == "context_length_exceeded"
    assert fault(422, {}, body).kind is Kind.CALLER
    said = StreamFault(status=400, code=None, message=sentence)
    assert fault_of_stream(said).error_type == "context_length_exceeded"


@pytest.mark.parametrize("sentence", OTHERS)
def test_other_sentences_are_not_though_a_provider_echoes_the_words(sentence: str) -> None:
    assert not says_too_long(sentence)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 503])
def test_a_sentence_changes_nothing_of_what_is_not_the_caller_s_mistake(status: int) -> None:
    bare, said = fault(status, {}, b"{}"), fault(status, {}, SAID[0].encode())
    assert (said.kind, said.error_type) == (bare.kind, bare.error_type)


def test_a_code_wins_over_the_sentence() -> None:
    error = {"message": SAID[0], "code": "image_too_large"}
    assert fault(400, {}, json.dumps({"error": error}).encode()).error_type == "image_too_large"


def test_bedrock_says_it_by_a_sentence_alone() -> None:
    body = json.dumps({"message": "Input is too long for requested model."}).encode()
    got = bedrock.fault(400, {"x-amzn-errortype": "ValidationException"}, body)
    assert (got.kind, got.error_type) == (Kind.CALLER, "context_length_exceeded")
    assert got.code == "ValidationException"


@pytest.mark.parametrize("sentence", SAID)
def test_what_a_caller_has_a_provider_repeat_is_no_refusal_of_a_length(sentence: str) -> None:
    assert not says_too_long(f"messages.0.content: '{sentence}' is not allowed")
