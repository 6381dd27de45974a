"""Every snippet of the README and the docs runs, and answers look as they are shown."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from msgspec import Struct

from dragoman import config
from dragoman.catalog import shipped
from dragoman.catalog.assemble import assemble
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import Declared
from tests.e2e.gateway import DRAGOMAN, Gateway

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "template" not in page.name),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("make run", "make bench", "createdb", "db restore", "docker ")
"""What starts a gateway, takes minutes, or wants a server, Docker or a backup of the reader's
own; gateways are started here as `make run` does it, `tests/office/test_office_backup.py`
restores, and `tests/node/test_node_deploy.py` looks at what is for Docker."""


class Snippet(Struct, frozen=True):
    """A fenced block: its page, its language, its text."""

    page: str
    language: str
    text: str


def snippets(*languages: str) -> list[Snippet]:
    return [
        Snippet(page.name, language, text)
        for page in PAGES
        for language, text in FENCE.findall(page.read_text())
        if language in languages
    ]


def named(snippet: Snippet) -> str:
    return f"{snippet.page}: {snippet.text.splitlines()[0][:50]}"


CATALOG_FILES = [s.text for s in snippets("json") if s.text.startswith('{"models"')]
"""What is shown of a catalog file is used as one; all other JSON is shown of answers."""

SHELL = [s for s in snippets("sh") if not any(word in s.text for word in ELSEWHERE)]


def run(snippet: Snippet, gateway: Gateway, home: Path) -> str:
    environ = gateway.environ | {
        "DRAGOMAN_API_KEY": gateway.key,
        "PATH": f"{DRAGOMAN.parent}{os.pathsep}{os.environ['PATH']}",
    }
    text = snippet.text.replace("http://127.0.0.1:4000", gateway.url)
    text = text.replace("/backups/", f"{home}/")
    (home / "models.json").write_text(CATALOG_FILES[0])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=home,
        env=environ,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("snippet", SHELL, ids=named)
def test_a_shell_snippet_does_what_it_says(
    snippet: Snippet, gateway: Gateway, tmp_path: Path
) -> None:
    printed = run(snippet, gateway, tmp_path)
    if "curl" in snippet.text:
        assert ('"choices"' if "/chat/completions" in snippet.text else '"data"') in printed


def test_the_failover_of_the_readme_is_seen(gateway: Gateway, tmp_path: Path) -> None:
    (snippet,) = [s for s in SHELL if s.page == "README.md" and "fault:status" in s.text]
    assert '"provider":"Demo Steady"' in run(snippet, gateway, tmp_path)


def test_the_cut_stream_of_the_docs_ends_with_an_error(gateway: Gateway, tmp_path: Path) -> None:
    (snippet,) = [s for s in SHELL if "fault:cut" in s.text]
    events = run(snippet, gateway, tmp_path).split("data: ")
    assert '"finish_reason":"error"' in events[-1]
    assert "[DONE]" not in events[-1]


@pytest.mark.parametrize("snippet", snippets("python"), ids=named)
def test_a_python_snippet_runs(
    snippet: Snippet,
    gateway: Gateway,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAGOMAN_URL", gateway.base)
    monkeypatch.setenv("DRAGOMAN_API_KEY", gateway.key)
    text = snippet.text.replace("http://127.0.0.1:4000", gateway.url)
    names: dict[str, object] = {}
    exec(compile(text, snippet.page, "exec"), names)
    close = getattr(names.get("client"), "close", None)
    if close is not None:
        close()
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=named)
def test_a_configuration_snippet_makes_a_catalog(snippet: Snippet, tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text(snippet.text)
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", snippet.text), "secret")
    options = config.load(file, environ)
    known = shipped.load()
    found = hosts(known.providers, options.providers, {})
    declared = Declared(providers=options.providers, aliases=options.aliases, demo="on")
    assemble(known, found, declared)


@pytest.fixture(scope="module")
def answers(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what all curls of all pages print, and an error, in both envelopes."""
    home = tmp_path_factory.mktemp("answers")
    printed = [run(each, gateway, home) for each in SHELL if "curl" in each.text]
    errors = gateway.chat(model="demo/parot"), gateway.post("/api/v1/messages", {})
    return "".join([*printed, *(error.body.decode() for error in errors)])


@pytest.mark.parametrize(
    "snippet", [s for s in snippets("json") if s.text not in CATALOG_FILES], ids=named
)
def test_what_is_shown_of_an_answer_is_in_a_real_one(snippet: Snippet, answers: str) -> None:
    for name in re.findall(r'"(\w+)":', snippet.text):
        assert f'"{name}":' in answers, f"{name} is shown, and not in any answer"


def test_no_snippet_is_left_out_by_its_language() -> None:
    languages = {language for page in PAGES for language, _ in FENCE.findall(page.read_text())}
    assert languages <= {"", "sh", "python", "yaml", "json"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
