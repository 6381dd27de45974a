"""Counting tokens in a helper process, and what happens when it fails."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec import Raw

from dragoman.core.clock import Clock
from dragoman.relay import token_helper, tokens
from dragoman.relay.token_frames import NOBODY_KNOWS
from dragoman.relay.tokens import HELPER, Counted, TokenCounter
from dragoman.wire.hub import Members
from tests.access.fakes import HandClock

FOX = "The quick brown fox jumps over the lazy dog."
Makes = Callable[..., TokenCounter]


def prompt(text: str = FOX, model: str = "acme/m", **more: Any) -> Members:
    chat = {"model": model, "messages": [{"role": "user", "content": text}], "seed": 1} | more
    return {name: Raw(json.dumps(value).encode()) for name, value in chat.items()}


def script(source: str) -> tuple[str, ...]:
    """Return a helper that is this program: `read()` gives a request, `say(n)` answers one."""
    head = (
        "import os,sys,time\n"
        "read=lambda: sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(4)))\n"
        "def say(n):\n    sys.stdout.buffer.write(n.to_bytes(4)); sys.stdout.buffer.flush()\n"
    )
    return sys.executable, "-c", head + source


ECHO = script("while body := read(): say(len(body))")


@pytest.fixture
async def makes() -> AsyncIterator[Makes]:
    made: list[TokenCounter] = []

    def make(command: tuple[str, ...] = ECHO, clock: Clock | None = None) -> TokenCounter:
        made.append(TokenCounter(clock or Clock(), command))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        ("antidisestablishmentarianism", "openai/gpt-4o", 6),
        ("antidisestablishmentarianism", "openai/gpt-4", 6),
        ("2 + 2 = 4", "openai/gpt-4o", 7),
        ("お誕生日おめでとう", "gpt-4o", 8),
        ("お誕生日おめでとう", "gpt-4", 9),
        ("", "acme/m", 0),
    ],
)
def test_a_text_has_the_tokens_that_openai_counts(text: str, model: str, expected: int) -> None:
    # OpenAI cookbook, "How to count tokens with tiktoken", comparison of encodings.
    around = token_helper.MESSAGE_TOKENS + token_helper.REPLY_TOKENS
    messages = [{"role": "user", "content": text}]
    assert token_helper.count({"model": model, "messages": messages}) - around == expected


def test_all_that_a_prompt_says_is_counted() -> None:
    function = {"name": "look", "arguments": '{"word": "dragoman"}'}
    plain = token_helper.count({"messages": [{"role": "assistant", "content": None}]})
    called = token_helper.count({
        "messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": function}]}]
    })  # fmt: skip
    assert called > plain + 5
    parts = [{"type": "text", "text": FOX}, {"type": "image_url", "image_url": {"url": "data:"}}]
    shown = token_helper.count({"messages": [{"role": "user", "content": parts}]})
    assert shown == plain + 10 + token_helper.IMAGE_TOKENS
    with_tools = token_helper.count({"messages": [], "tools": [{"function": {"name": "look"}}]})
    assert with_tools > token_helper.count({"messages": []}) + 3


def test_the_helper_answers_in_order_and_ends_with_its_input() -> None:
    bodies = [b"{", b'{"messages":[]}', b"[]", b'{"messages":[5]}', b"[" * 100_000]
    source = b"".join(len(body).to_bytes(4) + body for body in bodies) + b"\0\0"
    answers = io.BytesIO()
    token_helper.serve(io.BytesIO(source), answers)
    said = answers.getvalue()
    found = [int.from_bytes(said[i : i + 4]) for i in range(0, len(said), 4)]
    nobody = NOBODY_KNOWS
    assert found == [nobody, token_helper.REPLY_TOKENS, nobody, nobody, nobody]


async def test_the_real_helper_counts(makes: Makes) -> None:
    counter = makes(HELPER)
    assert await counter.count(prompt()) == Counted(17, estimated=True, by="ranks")
    many = await asyncio.gather(*[counter.count(prompt(FOX * n)) for n in range(10)])
    assert [each.by for each in many] == ["ranks"] * 10
    assert [each.tokens for each in many] == sorted(each.tokens for each in many)


async def test_answers_reach_whom_they_are_for(makes: Makes) -> None:
    counter = makes()
    sizes = [(await counter.count(prompt("x" * n))).tokens for n in range(8)]
    together = await asyncio.gather(*[counter.count(prompt("x" * n)) for n in range(8)])
    assert [each.tokens for each in together] == sizes
    assert len(set(sizes)) == 8


async def test_one_who_leaves_does_not_take_anothers_answer(makes: Makes) -> None:
    counter = makes(script("while body := read(): time.sleep(0.1); say(len(body))"))
    leaver = asyncio.create_task(counter.count(prompt("x")))
    other = asyncio.create_task(counter.count(prompt("xyz")))
    await asyncio.sleep(0.05)
    leaver.cancel()
    assert await other == await counter.count(prompt("xyz"))


async def test_media_are_not_sent(makes: Makes) -> None:
    counter = makes()
    for url in ("data:image/png;base64," + "A" * 100_000, "https://x.example/y.png"):
        parts = [{"type": "image_url", "image_url": {"url": url}}]
        messages = [{"role": "user", "content": parts}]
        assert (await counter.count(prompt(messages=messages))).tokens < 200


async def test_too_much_text_is_estimated_by_its_bytes(
    makes: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_BYTES", 1000)
    counter = makes()
    found = await counter.count(prompt("x" * 4000))
    assert found.by == "bytes"
    assert 1000 < found.tokens < 1100
    assert counter._helper is None


async def test_too_many_at_once_are_estimated(
    makes: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_WAITING", 2)
    counter = makes()
    found = await asyncio.gather(*[counter.count(prompt()) for _ in range(5)])
    assert sorted(each.by for each in found) == ["bytes"] * 3 + ["ranks"] * 2


@pytest.mark.parametrize(
    "command",
    [
        ("/nowhere/at-all",),
        script("sys.exit(3)"),
        script("read(); os._exit(1)"),
        script("read(); sys.stdout.buffer.write(b'ab'); sys.exit()"),
        script("read(); say(2**32 - 1)"),
    ],
)
async def test_a_helper_that_fails_is_done_without(makes: Makes, command: tuple[str, ...]) -> None:
    counter = makes(command)
    found = await asyncio.gather(*[counter.count(prompt()) for _ in range(3)])
    assert {each.by for each in found} == {"bytes"}


async def test_one_that_hangs_is_ended_and_replaced_after_a_pause(
    makes: Makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PATIENCE_S", 0.3)
    hand = HandClock()
    counter = makes(script("time.sleep(60)"), Clock(wall=hand, monotonic=hand))
    assert (await counter.count(prompt())).by == "bytes"
    assert counter._helper is None
    counter._command = ECHO
    assert (await counter.count(prompt())).by == "bytes"
    hand.now += tokens.PAUSE_S
    monkeypatch.setattr(tokens, "PATIENCE_S", 20)
    assert (await counter.count(prompt())).by == "ranks"


async def test_one_that_was_killed_is_replaced(makes: Makes) -> None:
    counter = makes()
    await counter.count(prompt())
    helper = counter._helper
    assert helper is not None
    helper.kill()
    await helper.wait()
    assert (await counter.count(prompt())).by == "ranks"


async def test_it_ends_with_whoever_runs_it(makes: Makes) -> None:
    counter = makes()
    running = asyncio.create_task(counter.run())
    await counter.count(prompt())
    helper = counter._helper
    assert helper is not None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert helper.returncode == -signal.SIGKILL


def test_it_ends_with_its_parent() -> None:
    source = (
        "import subprocess,sys,time\n"
        "p=subprocess.Popen([sys.executable,'-m','dragoman.relay.token_helper'],"
        "stdin=subprocess.PIPE,stdout=subprocess.PIPE,start_new_session=True)\n"
        "print(p.pid,flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        helper = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    until = time.monotonic() + 20
    while _lives(helper) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(helper)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
