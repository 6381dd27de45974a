"""Embeddings as they leave for Google, Bedrock and Cohere, and answers of their documentation.

In each file lies where it is from. To write anew what follows from a call and from answers, after
a change that is meant: `python -m tests.providers.test_embedding_golden`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.registry import DIALECTS
from dragoman.wire.embeddings import EMBEDDINGS

GOLDEN = Path(__file__).parent / "golden"
NAMES = {
    "gemini": "Google AI Studio",
    "vertex": "Google Vertex",
    "bedrock": "Amazon Bedrock",
    "cohere": "Cohere",
}
FILES = sorted(GOLDEN.glob("*/embeddings/*.json"))
MADE = ("path", "sent", "counted", "notes", "data", "tokens")


def made(golden: Any) -> dict[str, Any]:
    """Return what becomes of a call, and of the answers to it."""
    host = golden["dialect"]
    dialect = DIALECTS[f"{host}-embeddings"]
    provider = Provider(slug=host, name=NAMES[host], dialect=host, base_url="https://h.example")
    endpoint = Endpoint(
        id=f"{host}|m", model="acme/m", provider=host, provider_name=NAMES[host], tag=host,
        upstream=golden["model"], price=None,
    )  # fmt: skip
    call = EMBEDDINGS.parse(json.dumps({"model": "acme/m"} | golden["call"]).encode(), {})
    out = dialect.request(call, endpoint, provider)
    bodies = [json.dumps(each).encode() for each in golden["answers"]]
    body = bodies[0] if len(bodies) == 1 else b"[%b]" % b",".join(bodies)
    answer = dialect.answer(body)
    assert len(bodies) == 1 + len(out.more)
    return {
        "path": out.path,
        "sent": [json.loads(each) for each in (out.body, *out.more)],
        "counted": out.counted,
        "notes": [[note.change.value, note.field, note.detail] for note in out.notes],
        "data": json.loads(answer.native or b"null")["data"],
        "tokens": answer.usage and msgspec.to_builtins(answer.usage),
    }


@pytest.mark.parametrize("path", FILES, ids=[f"{p.parts[-3]}-{p.stem}" for p in FILES])
def test_a_call_and_its_answers(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert golden["source"]
    assert made(golden) == {name: golden[name] for name in MADE}


def write_anew() -> None:
    """Write what follows."""
    for path in FILES:
        golden = json.loads(path.read_text(encoding="utf-8"))
        source = json.dumps(golden | made(golden), indent=2, ensure_ascii=False)
        path.write_text(source + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_anew()
