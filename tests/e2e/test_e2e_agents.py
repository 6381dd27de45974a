"""Coding agents, unmodified, set up by `dragoman connect --write` and run without a terminal.

Each is skipped where it is not on the PATH; npm has them: `@anthropic-ai/claude-code`,
`@openai/codex`, `opencode-ai`, `@continuedev/cli`. They live in a home of their own.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec import Struct

from tests.e2e.gateway import DRAGOMAN, Gateway

QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "CONTINUE_TELEMETRY_ENABLED": "0",
}
OURS = ("ANTHROPIC_", "OPENAI_", "CLAUDE", "CODEX_", "XDG_", "DRAGOMAN_")


class Agent(Struct, frozen=True):
    """A client, and how it is asked for one answer."""

    client: str
    command: tuple[str, ...]


AGENTS = (
    Agent("claude-code", ("claude", "-p", "hello there")),
    Agent("codex", ("codex", "exec", "--skip-git-repo-check", "hello there")),
    Agent("opencode", ("opencode", "run", "hello there")),
    Agent("continue", ("cn", "--config", "~/.continue/config.yaml", "-p", "hello there")),
)


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.client)
def test_an_agent_answers_through_the_gateway(
    agent: Agent, gateway: Gateway, tmp_path: Path
) -> None:
    program = shutil.which(agent.command[0])
    if program is None:
        pytest.skip(f"{agent.command[0]} is not installed")
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    kept = {n: v for n, v in gateway.environ.items() if not n.startswith(OURS)}
    environ = kept | QUIET | {"HOME": str(home)}
    connect = (str(DRAGOMAN), "connect", agent.client, "--yes")
    wishes = ("--url", gateway.url, "--key", gateway.key, "--model", "demo/scholar", "--write")
    subprocess.run([*connect, *wishes], env=environ, check=True, timeout=60)
    words = [word.replace("~", str(home)) for word in agent.command[1:]]
    done = subprocess.run(
        [program, *words],
        env=environ,
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    subprocess.run([*connect, "--undo"], env=environ, check=True, timeout=60)
