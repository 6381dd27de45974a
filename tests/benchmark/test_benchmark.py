"""The benchmark measures what it says: the mock's answers, the hosts, CPU time, the report."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from bench import report, upstream
from bench.contenders import Contender, Upstreams, hosts
from bench.latency import Added
from bench.limits import PER_REQUEST, judged
from bench.load import PACED_TLS, PLAIN_20, SERVED, Load, Target, command, outcome
from bench.memory import Slope
from bench.process import (
    cpu_s,
    fields,
    memory_mb,
    open_files,
    peak_memory_mb,
    sampled,
    settled_cpu_s,
    settled_files,
    ticks,
)
from bench.report import Figure, Machine, Memory, Report, Row, figure

UPSTREAMS = Upstreams(port=9100, tls_port=9101, ca=Path("ca.pem"))


def flat(cpu_us: float) -> Figure:
    """Return a figure whose rounds were all alike."""
    return figure([cpu_us] * 3, [9_000.0] * 3, 3.5, 9.0)


def row(*, chunks: int = 0, **figures: float) -> Row:
    return Row(
        name="plain, 20 endpoints",
        chunks=chunks,
        connections=32,
        figures={name: flat(cost) for name, cost in figures.items()},
    )


def made(*rows: Row, slope: Slope | None = None, busy_cores: float = 0.1) -> Report:
    return Report(
        date="2026-11-20",
        revision="abc1234",
        machine=Machine(
            processor="a machine",
            cores=2,
            python="3.11.7",
            busy_cores=busy_cores,
            bare_us=50.0,
            nginx_us=18.0,
        ),
        rows=list(rows),
        added=Added(rate=2000, p50_ms=0.4, p99_ms=3, direct_p50_ms=0.1, direct_p99_ms=0.2),
        memory=Memory(requests=100_000, worker_mb=70, stream_kb=34, stream_tls_kb=47, slope=slope),
        first_answer_s=0.5,
        verdicts=[judged(PER_REQUEST, 130.0, 2.0), judged(PER_REQUEST, 250.0, 2.0)],
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


@pytest.mark.parametrize("load", SERVED, ids=lambda load: load.name)
def test_a_load_finds_as_many_endpoints_as_it_says(load: Load) -> None:
    configured = cast("dict[str, Any]", hosts(UPSTREAMS)).values()
    serving = [host for host in configured if load.model in host["models"]]
    assert len(serving) == load.endpoints
    assert {host["models"][load.model]["upstream"] for host in serving} == {load.upstream}
    assert {host["base_url"].partition(":")[0] for host in serving} == {
        "https" if load.tls else "http"
    }


@pytest.mark.parametrize(
    ("routes", "url", "model"),
    [
        (True, "http://h/v1/chat/completions", "bench/paced-tls"),
        (False, "http://h/tls/v1/chat/completions", "paced-50"),
    ],
    ids=["who routes is asked for a model", "who does not is asked at a path"],
)
def test_a_load_with_tls_upstream_reaches_it_through_anybody(
    *, routes: bool, url: str, model: str
) -> None:
    contender = Contender(name="x", url="http://h/v1", pid=1, keys=Path("keys"), routes=routes)
    wrk = command(PACED_TLS, contender.target(PACED_TLS), contender.model(PACED_TLS), 5)
    assert wrk[wrk.index("--") - 1 :] == [url, "--", model, "true", "keys"]


def test_wrk_is_told_the_headers_of_a_peer() -> None:
    target = Target(url="http://h/v1", keys=Path("keys"), headers=(("x-host", "a=b"),))
    assert command(PLAIN_20, target, "plain", 2)[-4:] == ["plain", "false", "keys", "x-host=a=b"]


def test_what_wrk_printed_is_read_from_its_last_line() -> None:
    printed = (
        "Running 1s test\n  32 connections\n"
        '{"requests":10,"bytes":1000,"duration_us":1000000,"failed":1,"p50_us":5,"p99_us":9}\n'
    )
    found = outcome(printed)
    assert (found.requests, found.bytes, found.failed, found.p99_us) == (10, 1000, 1, 9)


def test_the_name_of_a_process_cannot_confuse_its_cpu_time() -> None:
    stat = f"7 (a) b (c)) S 1 {' '.join(['0'] * 9)} 30 12 0 0 20"
    assert fields(stat)[:2] == ["S", "1"]
    assert ticks(fields(stat)) == 42


def test_cpu_time_and_memory_of_this_process_are_seen() -> None:
    before = cpu_s(os.getpid())
    assert before <= settled_cpu_s(os.getpid(), 0.0)
    assert 1 < memory_mb(os.getpid()) <= peak_memory_mb(os.getpid())


def test_a_figure_is_read_until_it_is_of_no_interest_any_more() -> None:
    read = iter(range(10_000))
    with sampled(lambda: float(next(read))) as figures:
        assert figures == [0.0]
    assert figures == [float(number) for number in range(len(figures))]
    count = len(figures)
    assert next(read) == count


def test_files_are_counted_once_they_are_few_or_patience_is_over() -> None:
    pid = os.getpid()
    before = open_files(pid)
    with Path(os.devnull).open() as _:
        assert settled_files(pid, before, 0.0) == before + 1
        assert settled_files(pid, before + 1, 60.0) == before + 1


def test_a_figure_is_the_median_of_its_rounds_and_tells_how_far_they_lay_apart() -> None:
    several = figure([30.0, 10.0, 20.0], [1.0, 3.0, 2.0], 1, 2)
    assert (several.cpu_us, several.requests_per_s) == (20.0, 2.0)
    assert several.cell() == "20.0 (10.0–30.0)"


@pytest.mark.parametrize(
    ("measured", "ratios", "unit"),
    [
        (row(dragoman=100, nginx=25, litellm=7000, portkey=900), ("4.0 x", "70.0 x", "9.0 x"),
         "request"),
        (row(chunks=50, dragoman=6, nginx=1), ("6.0 x", "–", "–"), "chunk"),
        (row(dragoman=100), ("–", "–", "–"), "request"),
    ],
)  # fmt: skip
def test_a_row_tells_the_ratios_first(measured: Row, ratios: tuple[str, ...], unit: str) -> None:
    cells = measured.cells()
    assert cells[1:4] == ratios
    assert cells[5] == unit
    assert len(cells) == len(report.HEADINGS)


def test_a_report_tells_machine_yardstick_and_verdicts() -> None:
    told = report.text(made(row(dragoman=130, bare=50)))
    assert "2.00 by the yardstick (50.0 : 25 µs); nginx says 1.50" in told
    assert "busy machine" not in told
    assert told.count("FAIL") == 1
    assert told.count("pass") == 1


def test_a_busy_machine_is_called_so() -> None:
    assert "busy machine" in report.markdown(made(row(dragoman=130), busy_cores=1.5))


def test_the_slope_of_memory_is_told_when_it_was_measured() -> None:
    slope = Slope(requests=[100_000, 200_000, 300_000], memory_mb=[70.0, 70.1, 70.2])
    assert "slope +1.00 KB per 1,000 requests" in report.text(made(row(dragoman=1), slope=slope))


def test_publishing_replaces_its_section_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(
        "before\n<!-- load:begin -->\nkept\n<!-- load:end -->\n"
        "<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"
    )
    monkeypatch.setattr(report, "PAGE", page)
    report.publish("once")
    report.publish("twice")
    assert page.read_text() == (
        "before\n<!-- load:begin -->\nkept\n<!-- load:end -->\n"
        "<!-- bench:begin -->\ntwice\n<!-- bench:end -->\nafter\n"
    )


def test_a_report_is_stored_under_its_date_and_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.store(made(row(dragoman=130.5)), suffix=".json")
    assert path.name == "2026-11-20-abc1234.json"
    assert '"cpu_us": 130.5' in path.read_text()
