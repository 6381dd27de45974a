"""What the matrix asks for, in words that no dialect owns, and what the model answers.

The first word of the user's message decides what the mock server answers, so a cell
that gets the answer it waits for has been understood all the way there.
"""

import base64
import json
from typing import Any, Final

from msgspec import Struct

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
"""One pixel."""
PIXEL: Final = base64.b64decode(PNG)

SYSTEM: Final = "You are a terse geographer."
TEXT: Final = "Paris is the capital of France, and has been so for a long time."
THOUGHT: Final = "Blue light has a short wavelength, so it scatters more than red."
WEATHER: Final = "15 degrees and rain"
PERSON: Final = '{"name":"Ada","age":36}'
REFUSAL: Final = "Slow down, please"
LATE: Final = "The model has left the building"
CALL_ID: Final = "call_paris1"
PROMPT_TOKENS: Final = 11
COMPLETION_TOKENS: Final = 7
CALLS: Final = (("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"}))

PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}},
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


class Ask(Struct, frozen=True, kw_only=True):
    """A request. `word` chooses the answer."""

    word: str
    stream: bool = False
    tools: bool = False
    results: bool = False
    """The weather was asked for and told: the conversation goes on after that."""
    schema: bool = False
    image: bool = False
    thinks: bool = False

    @property
    def text(self) -> str:
        return f"compat-{self.word}: what do you say?"


def fixtures() -> dict[str, Any]:
    """Return what the mock server is to answer, in its own format."""
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "input_tokens": PROMPT_TOKENS,
        "output_tokens": COMPLETION_TOKENS,
        "promptTokenCount": PROMPT_TOKENS,
        "candidatesTokenCount": COMPLETION_TOKENS,
    }
    calls = [{"name": name, "arguments": json.dumps(given)} for name, given in CALLS]
    refusal = {"message": REFUSAL, "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    rows: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"userMessage": "compat-text"}, {"content": TEXT, "usage": usage}),
        ({"userMessage": "compat-image"}, {"content": TEXT, "usage": usage}),
        ({"userMessage": "compat-tools"}, {"toolCalls": calls, "usage": usage}),
        ({"userMessage": "compat-loop", "hasToolResult": False}, {"toolCalls": calls}),
        ({"userMessage": "compat-loop", "hasToolResult": True}, {"content": TEXT}),
        (
            {"userMessage": "compat-results", "hasToolResult": True},
            {"content": TEXT, "usage": usage},
        ),
        ({"userMessage": "compat-schema"}, {"content": PERSON, "usage": usage}),
        (
            {"userMessage": "compat-thinking"},
            {"content": TEXT, "reasoning": THOUGHT, "usage": usage},
        ),
        ({"userMessage": "compat-refused"}, {"error": refusal, "status": 429, "retryAfter": 3}),
        ({"inputText": "compat-refused"}, {"error": refusal, "status": 429, "retryAfter": 3}),
    )
    return {"fixtures": [{"match": match, "response": answer} for match, answer in rows]}


class Call(Struct, frozen=True):
    """A tool that is called."""

    id: str
    name: str
    arguments: Any


class Got(Struct, kw_only=True):
    """What a client was answered."""

    text: str = ""
    thought: str = ""
    calls: list[Call] = []
    finish: str = ""
    """As the client's dialect calls it."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    id: str = ""
    model: str = ""
    pieces: int = 0
    """In how many pieces the text came."""
    error: str = ""
    """What an error inside a stream said."""
    ends: int = 0
    """How many events said that the stream is over."""


class Sent(Struct, kw_only=True):
    """What an upstream was asked, read from its own dialect."""

    model: str = ""
    system: str = ""
    text: str = ""
    image: bytes = b""
    tools: dict[str, Any] = {}
    calls: list[Call] = []
    results: dict[str, str] = {}
    """The id (or the name, where a dialect has no ids) of a call -> what it gave."""
    schema: Any = None
    thinks: bool = False
    stream: bool = False
