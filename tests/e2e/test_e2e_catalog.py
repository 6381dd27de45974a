"""A catalog is refreshed under a running gateway, and none that is wrong disturbs it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.corruptions import CORRUPTIONS, GOOD, Corruption
from tests.conftest import IS_LONG
from tests.e2e.gateway import DRAGOMAN, Gateway

PUSHED = (*CORRUPTIONS[:-17:2], *CORRUPTIONS[-17:]) if IS_LONG else CORRUPTIONS[::5]
"""Over forty in a long run; all are held against the check itself elsewhere, which is quicker."""
AT_ONCE = 4
TAKEN_UP_S = 30.0
"""How long a test waits for what takes about a second."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("catalog")
    config = home / "dragoman.yaml"
    config.write_text(json.dumps({"demo": "on", "providers": {"groq": {"discover": False}}}))
    running = Gateway(home / "data", config, {"GROQ_API_KEY": "gsk-none"})
    yield running
    code = running.stop()
    assert "Traceback" not in running.log, running.log
    assert code in {0, -15}


def command(house: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DRAGOMAN, "catalog", *arguments],
        env=house.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ids(house: Gateway) -> set[str]:
    return {row["id"] for row in house.get("/api/v1/models?availability=all").json()["data"]}


def price(house: Gateway, model: str) -> Any:
    endpoints = house.get(f"/api/v1/models/{model}/endpoints").json()["data"]["endpoints"]
    return next(each["pricing"]["prompt"] for each in endpoints if each["tag"] == "groq")


def until(happened: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < TAKEN_UP_S
        time.sleep(0.05)


def test_corrupted_catalogs_are_refused_and_requests_go_on(house: Gateway, tmp_path: Path) -> None:
    before = house.get("/api/v1/models?availability=all").body
    assert len(PUSHED) >= (40 if IS_LONG else 10)

    def push(corruption: Corruption) -> None:
        file = tmp_path / f"{abs(hash(corruption.name))}.json"
        file.write_bytes(corruption.make())
        done = command(house, "refresh", str(file))
        assert done.returncode == 1, (corruption.name, done)
        first = done.stderr.splitlines()[0]
        assert first.startswith(f"{file}: line {corruption.line}: "), (corruption.name, first)
        assert corruption.reason in first, corruption.name

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pushed = [pool.submit(push, corruption) for corruption in PUSHED]
        while not all(each.done() for each in pushed):
            answer = house.chat(model="demo/parrot", provider={"only": ["demo-swift"]})
            assert answer.status == 200, answer.body
    for each in pushed:
        each.result()
    assert house.get("/api/v1/models?availability=all").body == before


def test_a_good_one_is_taken_up_by_the_running_gateway(house: Gateway, tmp_path: Path) -> None:
    assert "acme/one" not in ids(house)
    file = tmp_path / "good.json"
    file.write_text(GOOD)
    assert command(house, "refresh", str(file)).returncode == 0
    until(lambda: "acme/one" in ids(house))
    assert price(house, "acme/one") == "0.0000025"


def test_a_price_that_waits_counts_once_it_is_approved(house: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "good.json"
    file.write_text(GOOD)
    assert command(house, "refresh", str(file)).returncode == 0
    dear = GOOD.replace('"prompt": "0.0000025"', '"prompt": "0.000025"').replace("Acme: Two", "2nd")
    file.write_text(dear)
    assert command(house, "refresh", str(file)).returncode == 0
    until(lambda: house.get("/api/v1/model/acme/two").json()["data"]["name"] == "2nd")
    assert price(house, "acme/one") == "0.0000025"
    assert command(house, "approve", "acme/one").returncode == 0
    until(lambda: price(house, "acme/one") == "0.000025")
