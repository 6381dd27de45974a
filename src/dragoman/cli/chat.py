"""`dragoman chat`: talk to a model through a running gateway.

The answer goes to stdout as it comes; what the model thought, and what the answer
cost, to stderr. How the gateway is asked is told in `dragoman.cli.gateway`.
"""

import asyncio
import readline  # noqa: F401 - gives input() its line editing and history
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from dragoman.cli.console import err, out, printable
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.cli.gateway import Chunk, Gateway, KeyOption, Message, UrlOption, Usage, stream, whole
from dragoman.wire.address import HERE, api_base

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def chat(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as demo/parrot.")],
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Without it, a conversation begins."),
    ] = None,
    url: UrlOption = HERE,
    key: KeyOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer to PROMPT as it came, unstreamed.")
    ] = False,
) -> None:
    """Talk to a model. Ctrl-C stops an answer, Ctrl-D ends the conversation."""
    if not key:
        raise Failure(
            "Give a key with --key or DRAGOMAN_API_KEY. Make one: dragoman keys create NAME", USAGE
        )
    if not url.startswith(("http://", "https://")):
        raise Failure(f"--url {url}: give an address such as {HERE}", USAGE)
    gateway = Gateway(api_base(url), key)
    asked = " ".join(prompt or ())
    if not asked and not sys.stdin.isatty():
        asked = sys.stdin.read().strip()
    if not asked and (as_json or not sys.stdin.isatty()):
        raise Failure("Give a PROMPT, as words or through a pipe.", USAGE)
    if as_json:
        _print_raw(gateway, model, asked)
    elif asked:
        asyncio.run(_Show(model).answer(gateway, (Message("user", asked),)))
    else:
        _converse(gateway, model)


def _print_raw(gateway: Gateway, model: str, asked: str) -> None:
    status, body = asyncio.run(whole(gateway, model, (Message("user", asked),)))
    typer.echo(body)
    if status != 200:
        raise Failure(f"The gateway answered {status}.")


def _converse(gateway: Gateway, model: str) -> None:
    """Take turns until the end of input. A failed or stopped answer does not end it."""
    remarks = err()
    remarks.print(f"Talking to {model}. Ctrl-C stops an answer, Ctrl-D ends.", style="dim")
    messages: tuple[Message, ...] = ()
    while True:
        try:
            asked = input("> ").strip()
        except EOFError:
            remarks.print()
            return
        except KeyboardInterrupt:
            remarks.print()
            raise
        if not asked:
            continue
        show = _Show(model)
        said = (*messages, Message("user", asked))
        try:
            asyncio.run(show.answer(gateway, said))
        except KeyboardInterrupt:
            remarks.print("(stopped)" if show.text else "\n(stopped)", style="dim")
        except Failure as failure:
            remarks.print(str(failure), style="red")
            continue
        if show.text:
            messages = (*said, Message("assistant", show.text))


class _Show:
    """Prints one answer as it comes, and remembers its text."""

    def __init__(self, model: str) -> None:
        self.text = ""
        self._model = model
        self._out = out()
        self._err = err()
        self._speed = Speed(time.monotonic, time.monotonic())
        self._thinking = False

    async def answer(self, gateway: Gateway, messages: tuple[Message, ...]) -> None:
        """Ask, and print the answer and its figures. Raises Failure."""
        last = Chunk()
        try:
            async for chunk in stream(gateway, self._model, messages):
                last = chunk
                for choice in chunk.choices:
                    self._think(choice.delta.reasoning or "")
                    self._say(choice.delta.content or "")
        finally:
            self._end_line()
        self._err.print(self._figures(last), style="dim")

    def _think(self, text: str) -> None:
        if text:
            self._thinking = True
            self._speed.tick()
            _print_on(self._err, text, "dim italic")

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._thinking:
            self._thinking = False
            _print_on(self._err, "\n\n")
        self._speed.tick()
        self.text += text
        _print_on(self._out, text)

    def _end_line(self) -> None:
        """End the line that the answer is on, if it has begun."""
        if self._thinking or self.text:
            _print_on(self._err if self._thinking else self._out, "\n")

    def _figures(self, last: Chunk) -> str:
        usage = last.usage or Usage()
        parts = [last.model or self._model, last.provider or "?"]
        parts.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens")
        parts.append("cost unknown" if usage.cost is None else f"${usage.cost:.6f}")
        return " · ".join(parts + self._speed.words(usage.completion_tokens))


class Speed:
    """Measures when content came, as its reader saw it, by the monotonic clock `now`."""

    def __init__(self, now: Callable[[], float], began: float) -> None:
        self._now = now
        self._began = began
        self._first = self._last = 0.0

    def tick(self) -> None:
        """Note that content came just now."""
        self._last = self._now()
        self._first = self._first or self._last

    def words(self, tokens: int) -> list[str]:
        """Return the time to the first content, and the pace of all that came after it."""
        if not self._first:
            return []
        words = [f"first after {self._first - self._began:.2f} s"]
        if self._last > self._first and tokens > 1:
            words.append(f"{(tokens - 1) / (self._last - self._first):.0f} tok/s")
        return words


def _print_on(console: Console, text: str, style: str | None = None) -> None:
    console.print(printable(text), style=style, end="")
    console.file.flush()
