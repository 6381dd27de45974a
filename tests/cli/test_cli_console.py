"""What is printed, on a terminal and off it."""

import io
import json
import logging
import sys

import pytest

from dragoman.cli.console import out, per_million, print_json, print_table, printable
from dragoman.cli.log_lines import LogLines
from tests.cli.command import execute_bytes

ROWS = [("a", "1"), ("long name", "22")]


class Screen(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_off_a_terminal_a_table_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", ">count"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME       COUNT",
        "a              1",
        "long name     22",
    ]


def test_off_a_terminal_no_cell_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [("x" * 500,)])
    assert "x" * 500 in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["20", "200"])
def test_on_a_terminal_no_cell_is_cut_either_however_narrow(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    print_table(("id", ">count"), [("gen-1795220736-cNhy1g9nZ70pc4qsz5Bm", "1")])
    assert "gen-1795220736-cNhy1g9nZ70pc4qsz5Bm      1\n" in screen.getvalue()


def test_wide_letters_keep_columns_straight(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [("鹦鹉", "1"), ("parrot", "2")])
    assert capsys.readouterr().out.splitlines() == ["NAME    N", "鹦鹉    1", "parrot  2"]


def test_a_table_on_a_terminal_is_styled_unless_colour_is_unwanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", styled := Screen())
    print_table(("name", ">count"), ROWS)
    out().print("bold", style="bold red")
    assert "\x1b[" in styled.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", plain := Screen())
    out().print("plain", style="red")
    assert plain.getvalue() == "plain\n"


def test_text_is_never_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    out().print("[red]:smile: [/nope]")
    assert capsys.readouterr().out == "[red]:smile: [/nope]\n"


def test_json_is_one_document_in_its_own_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ünï"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": "Ünï"}
    assert "Ünï" in printed


def test_json_is_utf_8_in_every_locale() -> None:
    environ = {"PYTHONIOENCODING": "latin-1"}
    made = execute_bytes("keys", "create", "Ünï", "--json", **environ)
    assert json.loads(made.decode("utf-8"))["name"] == "Ünï"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand é", "two\nlines\tand é"),
        ("\x1b]0;title\x07\x1b[31mred", "]0;title[31mred"),
        ("back\rspace\x08\x9b", "backspace"),
    ],
)
def test_what_would_command_a_terminal_is_left_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("price", "cell"), [(None, "?"), (2.5, "2.5"), (10.0, "10"), (0.000001, "0.000001"), (0, "0")]
)
def test_a_price_is_a_short_cell(price: float | None, cell: str) -> None:
    assert per_million(price) == cell


def test_a_line_of_the_log_carries_its_details() -> None:
    record = logging.makeLogRecord(
        {"name": "dragoman.access", "levelname": "WARNING", "msg": "silent", "cause": "disk"}
    )
    assert LogLines().format(record).endswith("WARNING dragoman.access silent cause=disk")


def test_what_an_event_quotes_does_not_begin_another_line() -> None:
    record = logging.makeLogRecord(
        {
            "name": "n",
            "levelname": "WARNING",
            "msg": "%s",
            "args": ("a\r\nb",),
            "why": "c\nd\x1b[2J",
        }
    )
    assert LogLines().format(record).endswith(r"WARNING n a\r\nb why=c\nd\x1b[2J")
