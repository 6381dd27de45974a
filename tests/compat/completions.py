"""Legacy text completions, as a client speaks them."""

from openai.types import Completion

from tests.compat.asks import SCHEMA, Ask, Got
from tests.compat.events import Body, Event


def completions_body(ask: Ask) -> Body:
    """Return what a client of text completions sends."""
    body: Body = {"prompt": ask.text, "stream": ask.stream, "max_tokens": 4000}
    if ask.schema:
        named = {"name": "person", "strict": True, "schema": SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def completions_whole(body: Body) -> Got:
    """Read a whole text completion."""
    Completion.model_validate(body)
    assert body["object"] == "text_completion"
    (choice,) = body["choices"]
    got = _usage(body)
    got.text, got.finish = choice["text"], choice["finish_reason"]
    return got


def completions_stream(found: list[Event]) -> Got:
    """Read a streamed text completion."""
    assert not any(name for name, _ in found)
    got = Got()
    for _, chunk in found:
        if "error" in chunk:
            got.error, got.ends = chunk["error"]["message"], got.ends + 1
            assert chunk is found[-1][1], "there is more after an error"
            break
        Completion.model_validate(chunk | {"choices": [_ended(each) for each in chunk["choices"]]})
        assert not got.cost, "there is more after the usage"
        if chunk.get("usage"):
            told = _usage(chunk)
            got.prompt_tokens, got.completion_tokens = told.prompt_tokens, told.completion_tokens
            got.cost, got.ends = told.cost, got.ends + 1
        got.id, got.model = chunk["id"], chunk["model"]
        for choice in chunk["choices"]:
            if choice["text"]:
                got.text, got.pieces = got.text + choice["text"], got.pieces + 1
            got.finish = choice.get("finish_reason") or got.finish
    return got


def _ended(choice: Body) -> Body:
    """Return a choice as the type has it, which knows no streams and no choice without an end."""
    return choice | {"finish_reason": choice["finish_reason"] or "stop"}


def _usage(body: Body) -> Got:
    usage = body["usage"]
    return Got(
        id=body["id"],
        model=body["model"],
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        cost=usage["cost"],
    )
