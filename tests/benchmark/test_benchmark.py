"""The benchmark measures what it says: the mock's answers, the hosts, CPU time, the report."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from bench import report, upstream
from bench.contenders import hosts
from bench.load import LOADS, Load
from bench.process import cpu_s, peak_memory_mb
from bench.report import BEGIN, END, Figure, Report, Row

FAST = Figure(cpu_us_per_request=25.0, requests_per_s=30_000, p50_ms=1.0, p99_ms=2.0)
SLOW = Figure(cpu_us_per_request=100.0, requests_per_s=9_000, p50_ms=3.5, p99_ms=9.0)


def row(*, chunks: int = 0, floor: Figure | None = FAST) -> Row:
    return Row(name="plain", chunks=chunks, connections=32, gateway=SLOW, floor=floor)


def made(*rows: Row) -> Report:
    return Report(
        date="2026-11-20",
        revision="abc1234",
        python="3.11.7",
        machine="a machine",
        cores=2,
        first_answer_s=0.5,
        peak_memory_mb=70.0,
        rows=rows,
    )


def events(writes: tuple[bytes, ...]) -> list[bytes]:
    """Return the events in a chunked body, checking each chunk's length."""
    pieces = b"".join(writes[1:]).split(b"\r\n")
    sizes, data = pieces[:-3:2], pieces[1:-3:2]
    assert [int(size, 16) for size in sizes] == [len(event) for event in data]
    return data


def test_a_stream_has_as_many_chunks_with_text_as_asked_and_ends_properly() -> None:
    streamed = events(upstream.stream(50))
    assert sum(b'"delta":{"' in event for event in streamed) == 50
    assert b'"usage"' in streamed[-2]
    assert streamed[-1] == b"data: [DONE]\n\n"
    assert upstream.stream(50)[-1].endswith(b"\r\n0\r\n\r\n")


def test_a_plain_answer_has_about_the_size_of_a_real_one() -> None:
    head, _, body = upstream.PLAIN.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert 1_400 < len(body) < 1_600


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_a_load_finds_as_many_endpoints_as_it_says(load: Load) -> None:
    configured = cast("dict[str, Any]", hosts(9100)).values()
    serving = [host["models"][load.model] for host in configured if load.model in host["models"]]
    assert len(serving) == load.endpoints
    assert {model["upstream"] for model in serving} == {load.upstream}


def test_cpu_time_and_memory_of_this_process_are_seen() -> None:
    before = cpu_s(os.getpid())
    assert before <= cpu_s(os.getpid())
    assert peak_memory_mb(os.getpid()) > 1


@pytest.mark.parametrize(
    ("measured", "ratio", "cost"),
    [
        (row(), "4.0 x", "100.0 / request"),
        (row(chunks=50), "4.0 x", "2.0 / chunk"),
        (row(floor=None), "–", "100.0 / request"),
    ],
)
def test_a_row_tells_the_ratio_first(measured: Row, ratio: str, cost: str) -> None:
    assert measured.cells()[1:3] == (ratio, cost)


def test_publishing_replaces_the_table_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.publish(made(row()))
    report.publish(made(row(), row(chunks=50)))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| load |")
    assert text.endswith(f"\n{END}\nafter\n")
    assert text.count("4.0 x") == 2
    assert "old" not in text


def test_a_report_is_stored_under_its_date_and_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.store(made(row()), suffix=".json")
    assert path.name == "2026-11-20-abc1234.json"
    assert '"cpu_us_per_request": 25.0' in path.read_text()
