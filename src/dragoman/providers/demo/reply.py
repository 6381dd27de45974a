"""What a demo model says: thoughts, then words, a JSON document or a tool call, as tokens.

The same request gets the same reply, from every host; `seed` and the number of the
choice vary it.
"""

import json
from random import Random

from msgspec import Struct, structs

from dragoman.providers.demo import faults
from dragoman.providers.demo.ask import Ask, Function, Refusal
from dragoman.providers.demo.keywords import Schema, Unsatisfiable
from dragoman.providers.demo.schema import satisfy
from dragoman.providers.demo.text import MAX_TOKENS, Words, prose, retelling, thoughts, tokens


class Call(Struct, frozen=True):
    """A tool call: its id, the tool's name, its arguments as the tokens of a JSON text."""

    id: str
    name: str
    arguments: tuple[str, ...]


class Reply(Struct, frozen=True, kw_only=True):
    """One choice of an answer, cut into tokens."""

    thoughts: tuple[str, ...]
    words: tuple[str, ...]
    call: Call | None
    finish_reason: str

    def tokens(self) -> int:
        """Return how many tokens were written, thoughts included."""
        arguments = self.call.arguments if self.call else ()
        return len(self.thoughts) + len(self.words) + len(arguments)


def replies(ask: Ask, notice: str | None) -> tuple[Reply, ...]:
    """Return the choices of an answer; `notice`, if there is one, is what they say.

    Raises Refusal when a tool or a schema cannot be used.
    """
    return tuple(_reply(ask, notice, index) for index in range(ask.n or 1))


def _reply(ask: Ask, notice: str | None, index: int) -> Reply:
    question = faults.without_markers(ask.question)
    words = Words(question)
    rng = Random(f"{question}|{ask.seed}|{index}")  # noqa: S311 - variety, not secrecy
    most = min(ask.most_tokens or MAX_TOKENS, MAX_TOKENS // (ask.n or 1))
    if notice is not None:
        return _speaking(notice, (), most)
    thought = tokens(thoughts(words, ask.effort, rng), most) if ask.effort else ()
    left = most - len(thought)
    tool = ask.tool()
    if tool is not None:
        return _calling(_call(tool, words, rng), thought, left)
    said = _document(ask, words, rng) or _talk(ask, question, words, rng)
    return _speaking(_until(said, ask.stops), thought, left)


def _speaking(said: str, thought: tuple[str, ...], left: int) -> Reply:
    spoken = tokens(said, left + 1)
    return Reply(
        thoughts=thought,
        words=spoken[:left],
        call=None,
        finish_reason="length" if len(spoken) > left else "stop",
    )


def _calling(call: Call, thought: tuple[str, ...], left: int) -> Reply:
    return Reply(
        thoughts=thought,
        words=(),
        call=structs.replace(call, arguments=call.arguments[:left]),
        finish_reason="length" if len(call.arguments) > left else "tool_calls",
    )


def _call(tool: Function, words: Words, rng: Random) -> Call:
    arguments = _json(tool.parameters or {"type": "object"}, words, rng, f"tool {tool.name!r}")
    return Call(f"call_{rng.getrandbits(96):024x}", tool.name, tokens(arguments, MAX_TOKENS + 1))


def _document(ask: Ask, words: Words, rng: Random) -> str | None:
    wish = ask.response_format
    if wish is None or wish.type not in {"json_object", "json_schema"}:
        return None
    schema = wish.json_schema.schema if wish.json_schema else None
    if schema is not None:
        return _json(schema, words, rng, "response_format")
    about = {"topic": words.topic, "answer": prose(words, rng).partition("\n")[0]}
    return json.dumps(about, ensure_ascii=False)


def _json(schema: Schema, words: Words, rng: Random, place: str) -> str:
    try:
        return json.dumps(satisfy(schema, words, rng), ensure_ascii=False)
    except (Unsatisfiable, ValueError) as error:
        raise Refusal(400, f"Invalid schema in {place}: {error}", "invalid_json_schema") from None


def _talk(ask: Ask, question: str, words: Words, rng: Random) -> str:
    results = ask.tool_results()
    if ask.model == "parrot":
        return results[-1] if results else question or "(You said nothing.)"
    return retelling(words, results) if results else prose(words, rng)


def _until(text: str, stops: tuple[str, ...]) -> str:
    ends = [place for place in map(text.find, stops) if place >= 0]
    return text[: min(ends, default=len(text))]
