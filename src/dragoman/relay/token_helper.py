"""Counts tokens, in a process of its own: `python -m dragoman.relay.token_helper`.

Ranks take a hundred megabytes, and a long text a third of a second: neither belongs where
streams are served.
Reads requests from standard input and answers each, in order, on standard output, until the
input ends, as it does when the parent is gone. A request is its length, in four bytes, the highest
first, and a JSON object: `model`, `messages` and `tools` of a chat. An answer is four bytes: how
many tokens, or NOBODY_KNOWS.

`data/<encoding>.xz` holds the ranks of OpenAI's tiktoken: a line of JSON with the pattern that
splits text into words, then each token by its rank, a byte that says how long it is and its bytes.
"""

import json
import lzma
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import tiktoken

from dragoman.relay.token_frames import LENGTH_BYTES, NOBODY_KNOWS

IMAGE_TOKENS: Final = 1_568
OTHER_TOKENS: Final = 3_000
"""What an image counts, and a document, recording or video: as in `dragoman.relay.estimate`."""
MESSAGE_TOKENS: Final = 4
"""What stands around each message (OpenAI cookbook, "How to count tokens with tiktoken")."""
REPLY_TOKENS: Final = 3

_OLDER: Final = ("gpt-4-", "gpt-3.5", "text-embedding-")
_DATA: Final = Path(__file__).parent / "data"

Encode = Callable[[str], list[int]]


def main() -> None:
    """Serve until the input ends."""
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request, in order."""
    while len(head := requests.read(LENGTH_BYTES)) == LENGTH_BYTES:
        body = requests.read(int.from_bytes(head))
        try:
            tokens = count(json.loads(body))
        except (ValueError, RecursionError, TypeError, AttributeError):
            tokens = NOBODY_KNOWS
        answers.write(min(tokens, NOBODY_KNOWS).to_bytes(LENGTH_BYTES))
        answers.flush()


def count(chat: dict[str, Any]) -> int:
    """Return about how many tokens the prompt of a chat takes."""
    encode = encoder(encoding_of(chat.get("model") or ""))
    messages = chat.get("messages") or []
    tokens = REPLY_TOKENS + MESSAGE_TOKENS * len(messages)
    for message in messages:
        for text in _texts(message):
            tokens += text if isinstance(text, int) else len(encode(text))
    if chat.get("tools"):
        tokens += len(encode(json.dumps(chat["tools"], ensure_ascii=False)))
    return tokens


def encoding_of(model: str) -> str:
    """Return whose ranks come closest: OpenAI's older models have others than all since GPT-4o."""
    name = model.rpartition("/")[2]
    return "cl100k_base" if name == "gpt-4" or name.startswith(_OLDER) else "o200k_base"


@cache
def encoder(name: str) -> Encode:
    """Return what turns text into tokens."""
    head, _, packed = lzma.decompress((_DATA / f"{name}.xz").read_bytes()).partition(b"\n")
    encoding = tiktoken.Encoding(
        name,
        pat_str=json.loads(head)["pattern"],
        mergeable_ranks={token: rank for rank, token in enumerate(_tokens(packed))},
        special_tokens={},
    )
    return encoding.encode_ordinary


def _tokens(packed: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(packed):
        end = place + 1 + packed[place]
        yield packed[place + 1 : end]
        place = end


def _texts(message: dict[str, Any]) -> Iterator[str | int]:
    """Yield the texts of a message, and for each medium the tokens it is taken to have."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else []:
        text = part.get("text") or part.get("refusal")
        if isinstance(text, str):
            yield text
        else:
            yield IMAGE_TOKENS if part.get("type") == "image_url" else OTHER_TOKENS
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        yield f"{function.get('name')} {function.get('arguments')}"
    for name in ("name", "reasoning", "refusal"):
        if isinstance(said := message.get(name), str):
            yield said


if __name__ == "__main__":
    main()
