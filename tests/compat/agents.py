"""Coding agents as people install them, headless, at providers of every dialect.

Each is told to write a file and to read it back. The mock server plays the model, in the
provider's dialect: it calls the agent's own tools, one a turn, and its last answer comes
only to a conversation that ends with what the file really holds. Nothing but loopback can
be reached: whatever else an agent tries goes to a proxy that is not there.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.compat.lab import Lab, model_id
from tests.compat.page import DONE, Tried
from tests.compat.tap import Heard
from tests.compat.upstreams import HOSTS, Host

HOME: Final = Path(__file__).parent / "agents"
PROGRAMS: Final = HOME / "node_modules" / ".bin"
FILE: Final = "hello.txt"
CONTENT: Final = "compat says hello"
LAST: Final = f"The file says: {CONTENT}."
TASK: Final = (
    f"Create a file {FILE} with the content '{CONTENT}', then read it, and say what it says."
)
TURNS: Final = 3
"""Requests that a task takes: a call, a call, an answer."""
PATIENCE_S: Final = 240
CLOSED: Final = "http://127.0.0.1:9"

Given = dict[str, str]
"""The arguments of a tool."""


class Agent(Struct, frozen=True, kw_only=True):
    """An agent, and what it speaks."""

    name: str
    program: str
    client: str
    tools: tuple[str, str]
    """Its tools that write and read a file."""
    given: Callable[[Path], tuple[Given, Given]]
    """What they are called with, for a task in a directory."""
    command: Callable[[str], list[str]]
    """The arguments, for a model."""
    environ: Callable[[str, str, Path], dict[str, str]]
    """The variables, for a model, a gateway's address and a home to write settings to."""
    key: str
    """The variable for the gateway's key."""


class Trial(Struct, frozen=True):
    """An agent at a provider."""

    agent: Agent
    host: Host

    def __str__(self) -> str:
        return f"{self.agent.program}-{self.host.dialect}"


def script(works: Mapping[str, Path]) -> dict[str, object]:
    """Return what the mock server answers, for agents that work in these directories."""
    fixtures: list[dict[str, object]] = []
    for agent in AGENTS:
        for turn, given in enumerate(agent.given(works[agent.program])):
            called = {"name": agent.tools[turn], "arguments": json.dumps(given)}
            match = {"toolName": agent.tools[turn], "turnIndex": turn}
            fixtures.append({"match": match, "response": {"toolCalls": [called]}})
        last = {"toolName": agent.tools[1], "turnIndex": 2, "toolResultContains": CONTENT}
        fixtures.append({"match": last, "response": {"content": LAST}})
    titles = {"match": {}, "response": {"content": "A greeting"}}
    return {"fixtures": [*fixtures, titles]}


def attempt(trial: Trial, lab: Lab, work: Path, home: Path) -> Tried:
    """Let an agent do the task, and say what came of it."""
    agent, heard = trial.agent, lab.taps[trial.host.name].heard
    shutil.rmtree(work, ignore_errors=True)
    for directory in (work, home):
        directory.mkdir(parents=True)
    heard.clear()
    model = model_id(trial)
    program = str(PROGRAMS / agent.program)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "dumb",
        "HTTP_PROXY": CLOSED,
        "HTTPS_PROXY": CLOSED,
        "NO_PROXY": "127.0.0.1,localhost",
        agent.key: lab.gateway.key,
        **agent.environ(model, lab.gateway.url, home),
    }
    words = _run([program, "--version"], environ, work).stdout.split()
    version = next((word for word in words if word[:1].isdigit()), "?")
    done = _run([program, *agent.command(model), TASK], environ, work)
    problem = _problem(done, work, [each for each in heard if CONTENT.encode() in each.raw])
    said = f"{done.stdout}\n{done.stderr}"[-3000:] if problem else ""
    return Tried(agent.name, version, agent.client, trial.host.name, problem or DONE, said)


def _problem(done: subprocess.CompletedProcess[str], work: Path, turns: Sequence[Heard]) -> str:
    """Return what is wrong with the outcome of a task, if anything is."""
    file = work / FILE
    if not file.is_file():
        return "wrote no file"
    if file.read_text().strip() != CONTENT:
        return f"wrote {file.read_text()!r}"
    if LAST not in done.stdout:
        return "did not end with the answer"
    if len(turns) < TURNS:
        return f"took {len(turns)} turns only"
    return f"ended with {done.returncode}" if done.returncode else ""


def _run(
    command: list[str], environ: dict[str, str], work: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environ,
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def _claude_environ(_: str, url: str, home: Path) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": f"{url}/api",
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _codex_environ(_: str, url: str, home: Path) -> dict[str, str]:
    folder = home / "codex"
    folder.mkdir()
    (folder / "config.toml").write_text(
        f"""
model_provider = "dragoman"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.dragoman]
name = "Dragoman"
base_url = "{url}/api/v1"
env_key = "DRAGOMAN_KEY"
"""
    )
    return {"CODEX_HOME": str(folder)}


def _opencode_environ(model: str, url: str, home: Path) -> dict[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Dragoman",
        "options": {"baseURL": f"{url}/api/v1", "apiKey": "{env:DRAGOMAN_KEY}"},
        "models": {model: {"name": "Compat"}},
    }
    config = {"provider": {"dragoman": provider}, "share": "disabled", "autoupdate": False}
    file = home / "opencode.json"
    file.write_text(json.dumps(config))
    return {"OPENCODE_CONFIG": str(file), "OPENCODE_DISABLE_MODELS_FETCH": "1"}


AGENTS: Final = (
    Agent(
        name="Claude Code",
        program="claude",
        client="Messages",
        tools=("Write", "Read"),
        given=lambda work: (
            {"file_path": str(work / FILE), "content": CONTENT},
            {"file_path": str(work / FILE)},
        ),
        command=lambda model: [
            "--model",
            model,
            "--allowedTools=Write,Read",
            "--print",
        ],
        environ=_claude_environ,
        key="ANTHROPIC_AUTH_TOKEN",
    ),
    Agent(
        name="Codex",
        program="codex",
        client="Responses",
        tools=("exec_command", "exec_command"),
        given=lambda _: (
            {"cmd": f"printf '%s' '{CONTENT}' > {FILE}"},
            {"cmd": f"cat {FILE}"},
        ),
        command=lambda model: [
            "exec",
            "--model",
            model,
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
        ],
        environ=_codex_environ,
        key="DRAGOMAN_KEY",
    ),
    Agent(
        name="OpenCode",
        program="opencode",
        client="chat",
        tools=("write", "read"),
        given=lambda work: (
            {"filePath": str(work / FILE), "content": CONTENT},
            {"filePath": str(work / FILE)},
        ),
        command=lambda model: ["run", "--model", f"dragoman/{model}"],
        environ=_opencode_environ,
        key="DRAGOMAN_KEY",
    ),
)

TRIALS: Final = tuple(Trial(agent, host) for agent in AGENTS for host in HOSTS)
"""Each at each."""
