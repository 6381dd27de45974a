"""`dragoman chat` against a running gateway, as a program and as a person use it."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dragoman.cli.chat import Speed
from tests.cli.command import DRAGOMAN, Ran, Running, clean_environ, run
from tests.cli.hosts import host

Chat = Callable[..., Ran]


@pytest.fixture
def chat(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Return a function that runs `dragoman chat` against the running gateway."""
    monkeypatch.setenv("DRAGOMAN_URL", gateway.base)
    monkeypatch.setenv("DRAGOMAN_API_KEY", gateway.key)
    return lambda *arguments, stdin=None: run("chat", *arguments, stdin=stdin)


def test_the_answer_is_on_stdout_and_its_figures_beside_it(chat: Chat) -> None:
    ran = chat("demo/parrot", "say", "this", "again")
    assert (ran.code, ran.out) == (0, "say this again\n")
    assert "demo/parrot · Demo" in ran.err
    assert "tokens · $0.0000" in ran.err
    assert "first after" in ran.err
    assert "tok/s" in ran.err


def test_the_address_needs_no_path(chat: Chat, gateway: Running) -> None:
    assert chat("demo/parrot", "hello", "--url", gateway.url).out == "hello\n"


def test_the_prompt_may_come_through_a_pipe(chat: Chat) -> None:
    assert chat("demo/parrot", stdin="from a pipe\n").out == "from a pipe\n"


def test_an_empty_pipe_is_no_conversation(chat: Chat) -> None:
    ran = chat("demo/parrot", stdin="")
    assert (ran.code, ran.out) == (2, "")
    assert "PROMPT" in ran.err


def test_json_is_the_answer_as_it_came(chat: Chat) -> None:
    ran = chat("demo/parrot", "hello", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["choices"][0]["message"]["content"] == "hello"


def test_json_needs_a_prompt(chat: Chat) -> None:
    assert chat("demo/parrot", "--json", stdin="").code == 2


def test_json_of_an_error_is_printed_and_ends_in_failure(chat: Chat) -> None:
    ran = chat("nobody/nothing", "hello", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["error"]["code"] == 400
    assert "400" in ran.err


def test_the_gateways_own_words_explain_a_refusal(chat: Chat) -> None:
    ran = chat("demo/parot", "hello")
    assert ran.code == 1
    assert "demo/parrot" in ran.err


def test_a_key_that_is_not_known_tells_how_to_make_one(chat: Chat) -> None:
    ran = chat("demo/parrot", "hello", "--key", "sk-dm-v1-nonsense")
    assert ran.code == 1
    assert "dragoman keys create NAME" in ran.err


def test_without_a_key_it_is_told_how_to_make_one() -> None:
    ran = run("chat", "demo/parrot", "hello")
    assert ran.code == 2
    assert "dragoman keys create NAME" in ran.err


def test_without_a_gateway_it_is_told_how_to_start_one() -> None:
    ran = run("chat", "demo/parrot", "hi", "--key", "x", "--url", "http://127.0.0.1:9/api/v1")
    assert ran.code == 1
    assert "dragoman serve" in ran.err


def test_an_address_that_is_none_is_wrong_usage() -> None:
    assert run("chat", "demo/parrot", "hi", "--key", "x", "--url", "localhost:4000").code == 2


def test_another_server_is_not_taken_for_a_gateway(gateway: Running) -> None:
    ran = run("chat", "demo/parrot", "hi", "--key", gateway.key, "--url", f"{gateway.url}/healthz")
    assert ran.code == 1


def ask(url: str) -> Ran:
    return run("chat", "a/m", "hi", "--key", "x", "--url", url)


def events(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def test_thoughts_are_shown_apart_from_the_answer() -> None:
    body = events(
        '{"choices": [{"delta": {"reasoning": "Let me see."}}]}',
        '{"choices": [{"delta": {"content": "Ye"}}]}',
        '{"choices": [{"delta": {"content": "s."}}]}',
        '{"model": "a/m", "choices": [], "usage": {"prompt_tokens": 3, "cost": null}}',
        "[DONE]",
    )
    with host(200, body) as url:
        ran = ask(url)
    assert ran.out == "Yes.\n"
    assert ran.err.startswith("Let me see.\n\n")
    assert "a/m · ? · 3 + 0 tokens · cost unknown" in ran.err


def test_an_answer_may_be_empty() -> None:
    with host(200, events('{"choices": [{"delta": {}}]}', "[DONE]")) as url:
        ran = ask(url)
    assert (ran.code, ran.out) == (0, "")
    assert "first after" not in ran.err


@pytest.mark.parametrize(
    ("status", "body", "promised", "words"),
    [
        (200, events('{"error": {"message": "It fell."}}'), None, "It fell."),
        (200, events('{"choices": []}'), None, "broke off"),
        (200, events('{"choices": []}'), 999, "broke"),
        (200, events("nonsense"), None, "no gateway"),
        (502, b"<html>", None, "HTTP 502"),
        (404, b"{}", None, "HTTP 404"),
    ],
)
def test_an_answer_that_is_none_is_explained(
    status: int, body: bytes, promised: int | None, words: str
) -> None:
    with host(status, body, promised=promised) as url:
        ran = ask(url)
    assert ran.code == 1
    assert words in ran.err


def test_what_breaks_an_answer_stands_on_a_line_of_its_own() -> None:
    said = '{"choices": [{"delta": {"content": "Half an"}}]}'
    with host(200, events(said, '{"error": {"message": "It fell."}}')) as url:
        ran = ask(url)
    assert (ran.code, ran.out) == (1, "Half an\n")
    assert ran.err == "dragoman: It fell.\n"


def test_speed_is_that_of_what_came_after_the_first_content() -> None:
    times = iter([2.0, 3.0, 7.0])
    speed = Speed(lambda: next(times), began=1.5)
    assert speed.words(9) == []
    for _ in range(3):
        speed.tick()
    assert speed.words(11) == ["first after 0.50 s", "2 tok/s"]
    assert speed.words(1) == ["first after 0.50 s"]


class Terminal:
    """A conversation in a terminal of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", end: int) -> None:
        self.process = process
        self._end = end
        self._seen = b""

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def interrupt(self) -> None:
        """Signal until it is heard: readline misses what comes before it listens."""
        deadline = time.monotonic() + 20
        while not select.select([self._end], [], [], 0.2)[0]:
            assert time.monotonic() < deadline
            self.process.send_signal(signal.SIGINT)

    def until(self, text: str) -> str:
        """Read until `text` is on the screen; return what came up to it."""
        deadline = time.monotonic() + 20
        while text.encode() not in self._seen:
            left_s = max(deadline - time.monotonic(), 0)
            assert select.select([self._end], [], [], left_s)[0], self._seen
            self._seen += os.read(self._end, 4096)
        before, _, self._seen = self._seen.partition(text.encode())
        return before.decode()


@contextmanager
def terminal(gateway: Running, model: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [DRAGOMAN, "chat", model, "--url", gateway.base, "--key", gateway.key],
        env=clean_environ() | {"TERM": "dumb", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_conversation_goes_on_until_the_end_of_input(gateway: Running) -> None:
    with terminal(gateway, "demo/parrot") as person:
        person.until("> ")
        person.type("one\n")
        person.until("tokens")
        person.until("> ")
        person.type("\n")
        person.until("> ")
        person.type("two\n")
        person.until("tokens")
        person.until("> ")
        person.type("\x04")
        assert person.process.wait(20) == 0


def test_ctrl_c_stops_the_answer_and_the_conversation_continues(gateway: Running) -> None:
    with terminal(gateway, "demo/scholar") as person:
        person.until("> ")
        person.type("tell me everything\n")
        person.until("the ")
        person.process.send_signal(signal.SIGINT)
        person.until("\r\n(stopped)")
        person.until("> ")
        person.interrupt()
        assert person.until("\n").strip() == ""
        assert person.process.wait(20) == 130


def test_a_failed_answer_does_not_end_the_conversation(gateway: Running) -> None:
    with terminal(gateway, "demo/parot") as person:
        person.until("> ")
        person.type("hello\n")
        person.until("Did you mean")
        person.until("> ")
        person.type("\x04")
        assert person.process.wait(20) == 0
