"""Memory: how much of it a process may have, how much it has, and who goes without."""

from pathlib import Path

import pytest

from dragoman.web.server.memory import Memory, limit_bytes
from tests.web.wire import GET, Scene, settled

KIB = 1024


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nMemFree: 5 kB\n")
    (tmp_path / "self/cgroup").write_text("4:memory:/a/b\n3:cpuset:/\n0::/a/b\n")
    (tmp_path / "self/statm").write_text("500 25 10 1 0 100 0\n")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, 1000 * KIB),
        ({"a/b/memory.max": "max"}, 1000 * KIB),
        ({"a/b/memory.max": "200000"}, 200_000),
        ({"a/b/memory.max": "200000", "a/memory.max": "100000"}, 100_000),
        ({"memory.max": "300000"}, 300_000),
        ({"memory/a/b/memory.limit_in_bytes": "9223372036854771712"}, 1000 * KIB),
        ({"memory/a/b/memory.limit_in_bytes": "400000"}, 400_000),
        ({"cpuset/memory.max": "1"}, 1000 * KIB),
    ],
    ids=["none", "no limit", "its own", "one above", "a container", "v1, no limit", "v1", "other"],
)
def test_a_process_may_have_the_least_of_what_it_is_allowed(
    proc: Path, tmp_path: Path, files: dict[str, str], limit: int
) -> None:
    groups = tmp_path / "groups"
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text + "\n")
    assert limit_bytes(proc, groups) == limit


def test_the_share_is_that_of_the_resident_set(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda _: 4096)
    assert Memory(proc, proc).share() == 25 * 4096 / (1000 * KIB)


def test_the_share_is_the_last_one_while_there_is_no_file_to_be_had(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sysconf", lambda _: 4096)
    memory = Memory(proc, proc)
    (proc / "self/statm").rename(proc / "statm")
    assert memory.share() == 0.0
    (proc / "statm").rename(proc / "self/statm")
    share = memory.share()
    (proc / "self/statm").unlink()
    assert memory.share() == share > 0


def test_where_the_system_does_not_tell_nothing_is_short(tmp_path: Path) -> None:
    assert Memory(tmp_path, tmp_path).share() == 0.0


def test_this_process_uses_some_of_its_memory() -> None:
    assert 0 <= Memory().share() < 1


async def test_a_process_short_of_memory_has_idle_clients_go_sooner() -> None:
    scene = Scene()
    scene.memory = 0.85
    scene.floor.tick(0.0)
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    scene.later(18)
    assert not carrier.closed
    scene.later(19)
    assert carrier.closed


async def test_with_less_a_connection_closes_after_its_answer_until_there_is_more() -> None:
    scene = Scene()
    scene.memory = 0.92
    scene.floor.tick(0.0)
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in carrier.sent
    assert carrier.closed
    scene.memory = 0.5
    scene.floor.tick(0.0)
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    assert b"connection: close" not in carrier.sent


async def test_with_hardly_any_requests_are_refused_and_at_last_connections() -> None:
    scene = Scene()
    scene.memory = 0.95
    scene.floor.tick(0.0)
    line, carrier = scene.client()
    line.data_received(GET)
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    health, heard = scene.client()
    health.data_received(GET.replace(b"/a", b"/healthz"))
    await settled()
    assert heard.sent.startswith(b"HTTP/1.1 200 ")
    scene.memory = 0.98
    scene.floor.tick(0.0)
    _, refused = scene.client()
    assert refused.sent.startswith(b"HTTP/1.1 503 ")
    assert refused.closed


async def test_a_gateway_that_stops_is_not_ready_but_alive() -> None:
    for path, status in ((b"/readyz", b"503"), (b"/healthz", b"200")):
        scene = Scene()
        line, carrier = scene.client()
        ask = GET.replace(b"/a", path)
        line.data_received(ask[:5])
        scene.floor.drain()
        line.data_received(ask[5:])
        await settled()
        assert carrier.sent.startswith(b"HTTP/1.1 " + status)
        assert b"connection: close" in carrier.sent
