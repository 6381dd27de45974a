"""Clients that people write programs with, unmodified: which are run, and what they have to find.

Each is a script that uses its client as its documentation tells, asks for every feature,
and prints what it found, for one model at every provider.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.compat import asks
from tests.compat.lab import HOME, Lab, model_id
from tests.compat.upstreams import HOSTS, Host

FRAMEWORKS_HOME: Final = Path(__file__).parent / "frameworks"
FRAMEWORKS_PYTHON: Final = HOME.parents[2] / ".venv" / "frameworks" / "bin" / "python"
PATIENCE_S: Final = 120
REFUSED_STATUS: Final = 429


class Script(Struct, frozen=True):
    """A client. `client` is the dialect it speaks; `thinks`: it shows reasoning."""

    name: str
    package: str
    client: str
    file: Path
    thinks: bool = True


class Use(Struct, frozen=True):
    """A client at a provider."""

    script: Script
    host: Host

    def __str__(self) -> str:
        return f"use-{self.script.file.stem}-{self.host.dialect}"


NODE: Final = (
    Script("Anthropic SDK (Node)", "@anthropic-ai/sdk", "messages", HOME / "anthropic.mjs"),
    Script("OpenRouter SDK (Node)", "@openrouter/sdk", "chat", HOME / "openrouter.mjs"),
    Script("Vercel AI SDK", "@openrouter/ai-sdk-provider", "chat", HOME / "vercel.mjs"),
)
FRAMEWORKS: Final = (
    Script("LangChain", "langchain-openrouter", "chat", FRAMEWORKS_HOME / "langchain_.py"),
    Script(
        "LlamaIndex",
        "llama-index-llms-openrouter",
        "chat",
        FRAMEWORKS_HOME / "llamaindex.py",
        thinks=False,
    ),
    Script("pydantic-ai", "pydantic-ai-slim", "chat", FRAMEWORKS_HOME / "pydanticai.py"),
)


def uses(scripts: Sequence[Script]) -> list[Use]:
    """Return each at each provider."""
    return [Use(script, host) for script in scripts for host in HOSTS]


def run(script: Script, program: str, lab: Lab) -> dict[str, Any]:
    """Return what a client found, by the provider's dialect. Raises AssertionError if it broke."""
    models = {host.dialect: model_id(Use(script, host)) for host in HOSTS}
    environ = lab.gateway.environ | {
        "GATEWAY_URL": lab.gateway.url,
        "GATEWAY_KEY": lab.gateway.key,
        "MODELS": json.dumps(models),
        "PNG": asks.PNG,
        "SCHEMA": json.dumps(asks.SCHEMA),
        "PARAMETERS": json.dumps(asks.PARAMETERS),
    }
    environ.pop("PYTHONPATH", None)
    done = subprocess.run(
        [program, str(script.file)],
        cwd=script.file.parent,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wrong(script: Script, got: dict[str, Any]) -> str:
    """Return what is not as it has to be, nothing if all is."""
    calls = [list(call) for call in asks.CALLS]
    expected = {
        "text": asks.TEXT,
        "usage": [asks.PROMPT_TOKENS, asks.COMPLETION_TOKENS],
        "streamed": asks.TEXT,
        "calls": calls,
        "streamed_calls": calls,
        "loop": asks.TEXT,
        "person": json.loads(asks.PERSON),
        "image": asks.TEXT,
    }
    if script.thinks:
        expected["thought"] = asks.THOUGHT
    problems = [
        f"{name} was {got.get(name)!r}"
        for name, value in expected.items()
        if got.get(name) != value
    ]
    if got["pieces"] < 2:
        problems.append("the text came at once")
    if not got["late"]["message"]:
        problems.append("an error inside a stream was not noticed")
    if got["refused"]["status"] != REFUSED_STATUS:
        problems.append(f"a refusal was {got['refused']!r}")
    return "; ".join(problems)
