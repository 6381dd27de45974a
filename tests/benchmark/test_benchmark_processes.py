"""What the benchmark starts does what it should: yardstick, clients good and bad, keys, driver."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from bench import authority
from bench.client import Drive
from bench.contenders import BARE_KEY, Contender, Upstreams, bare, mocks
from bench.driver import KINDS
from bench.keys import make_keys
from bench.latency import apart, to
from bench.load import STREAM, Target, answer_bytes
from bench.process import descendants
from bench.siege.hostile import Attack, Kind
from bench.siege.overload import fire
from bench.siege.run import Assault
from bench.siege.volley import Volley
from bench.upstream import stream
from dragoman.core.ids import key_hash
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import open_premises
from tests.conftest import Needs


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def upstreams(place: Path, needs: Needs) -> Iterator[Upstreams]:
    needs("openssl")
    made = authority.found(place)
    with mocks(place, made.ca, made.certificate, made.key) as running:
        yield running


@pytest.fixture(scope="module")
def yardstick(upstreams: Upstreams, place: Path) -> Iterator[Contender]:
    with ExitStack() as stack:
        yield stack.enter_context(bare(upstreams, place))


@pytest.mark.parametrize("kept", [True, False], ids=["kept connections", "new ones"])
def test_honest_clients_are_answered_by_the_yardstick(yardstick: Contender, *, kept: bool) -> None:
    drive = msgspec.structs.replace(to(yardstick, "any", 100.0, 0.5), kept=kept)
    (sample,) = apart([drive])
    assert (sample.answered, sample.lost, sample.refused) == (50, 0, 0)


def test_a_closed_loop_keeps_its_connections_busy(yardstick: Contender) -> None:
    (sample,) = apart([msgspec.structs.replace(to(yardstick, "any", 1.0, 0.3), closed=4)])
    assert sample.answered > 4
    assert sample.lost == 0


def test_the_yardstick_checks_keys(yardstick: Contender) -> None:
    (sample,) = apart([msgspec.structs.replace(to(yardstick, "any", 20.0, 0.2), key="wrong")])
    assert (sample.answered, sample.statuses) == (0, {401: 4})


def test_requests_that_nobody_takes_are_lost() -> None:
    drive = Drive(port=9, path="/", key=BARE_KEY, model="any", rate=20.0, seconds=0.2)
    (sample,) = apart([drive])
    assert (sample.answered, sample.lost) == (0, 4)


@pytest.mark.parametrize("closed", [0, 2], ids=["at a rate", "in a closed loop"])
def test_a_volley_is_answered_and_refusals_are_told_apart(
    yardstick: Contender, *, closed: int
) -> None:
    drive = to(yardstick, "any", 50.0, 0.5)
    volley = Volley(
        port=drive.port,
        path=drive.path,
        key=drive.key,
        model=drive.model,
        rate=drive.rate,
        seconds=drive.seconds,
        closed=closed,
    )
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    answered = fire(volley, cpus)
    assert answered.statuses == {200: len(answered.times_ms)}
    assert (answered.lost, answered.refused_ms) == (0, [])
    assert len(answered.times_ms) > 4 if closed else len(answered.times_ms) == 50
    refused = fire(msgspec.structs.replace(volley, key="wrong"), ())
    assert set(refused.statuses) == {401}
    assert len(refused.refused_ms) == refused.statuses[401]


def test_a_volley_that_nobody_takes_is_lost() -> None:
    volley = Volley(port=9, path="/", key=BARE_KEY, model="any", rate=20.0, seconds=0.2)
    told = fire(volley, ())
    assert (told.statuses, told.lost) == ({}, 8)


def test_a_process_has_descendants(yardstick: Contender) -> None:
    assert yardstick.pid in descendants(os.getpid())
    assert os.getpid() not in descendants(yardstick.pid)


def test_an_answer_is_counted_to_its_last_byte(upstreams: Upstreams, place: Path) -> None:
    keys = place / "none"
    keys.write_text("none\n")
    target = Target(url=f"http://127.0.0.1:{upstreams.port}/v1", keys=keys)
    assert answer_bytes(STREAM, target, "stream-50") == len(b"".join(stream(50)))


@pytest.mark.parametrize("kind", ["stream", "silent", "head", "body", "reader"])
def test_hostile_clients_stay_as_long_as_they_are_let(upstreams: Upstreams, kind: Kind) -> None:
    attack = Attack(
        kind=kind,
        port=upstreams.port,
        path="/v1/chat/completions",
        key="none",
        model="flood" if kind == "reader" else "hold",
        count=20,
    )
    assault = Assault(attack)
    assert assault.wait_until_open() == 20
    toll = assault.end()
    assert (toll.opened, toll.held, toll.refused, toll.lives_s) == (20, 20, 0, [])


async def test_keys_made_in_quantity_open_the_gate(tmp_path: Path) -> None:
    texts = make_keys(tmp_path / "data", 3)
    premises = open_premises(tmp_path / "data")
    try:
        keeper = LocalKeeper(premises.ledger)
        found = [await keeper.key(key_hash(text), premises.pepper.sign(text)) for text in texts]
    finally:
        premises.close()
    assert [each.key.hash for each in found if each] == [key_hash(text) for text in texts]


@pytest.mark.parametrize("kind", KINDS)
def test_the_driver_gets_its_answers(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-m", "bench.driver", str(tmp_path), kind, "3"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0, run.stderr
