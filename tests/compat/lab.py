"""What the matrix runs in: the mock server, a tap for each provider, a gateway in front."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from bench.process import free_port
from tests.compat.kind_hosts import Server
from tests.compat.tap import Tap
from tests.compat.upstreams import HOSTS, Host
from tests.e2e.gateway import Gateway

HOME: Final = Path(__file__).parent / "node"
AIMOCK: Final = HOME / "node_modules" / "@copilotkit" / "aimock"
SECRET: Final = "compat-secret-key"
START_S: Final = 60


class Place(Protocol):
    """What a model of the gateway is for: no two places share what the gateway remembers."""

    @property
    def host(self) -> Host:
        """The provider."""

    def __str__(self) -> str:
        """Return a name that no other place has."""


class Lab(Struct, frozen=True):
    """The running whole."""

    gateway: Gateway
    taps: dict[str, Tap]

    def model(self, place: Place) -> str:
        """Return the gateway's id for the model of a place."""
        return model_id(place)


class KindPlace(Place, Protocol):
    """A place for what is no chat."""

    @property
    def kind(self) -> Any:
        """What that is, by its `name`."""

    @property
    def server(self) -> Server | None:
        """How the provider does it, None where it does not."""


def model_id(place: object) -> str:
    """Return the gateway's id for the model of a place."""
    return f"compat/{place}".lower()


def provider_name(place: KindPlace) -> str:
    """Return the name of the provider that does what is no chat."""
    return f"Mock {place.host.name} for {place.kind.name}"


@contextmanager
def running(
    node: str,
    places: Sequence[Place],
    home: Path,
    script: dict[str, object],
    kinds: Sequence[KindPlace] = (),
) -> Iterator[Lab]:
    """Run a lab with a model for every place, and end it. `script` is what is answered."""
    with ExitStack() as stack:
        port = stack.enter_context(_mock(node, home, script))
        taps = {host.name: stack.enter_context(Tap(host, port)) for host in HOSTS}
        config = home / "dragoman.yaml"
        config.write_text(json.dumps(_config(taps, places, kinds)))
        gateway = Gateway(home / "data", config, {})
        try:
            yield Lab(gateway, taps)
        finally:
            gateway.stop()
        assert "Traceback" not in gateway.log, gateway.log


def _config(
    taps: dict[str, Tap], places: Sequence[Place], kinds: Sequence[KindPlace]
) -> dict[str, object]:
    row = {
        "context": 128000,
        "max_output": 65536,
        "price": {"prompt": 0.0000025, "completion": 0.00001},
        "inputs": ["text", "image"],
    }
    providers: dict[str, dict[str, Any]] = {
        f"mock-{host.dialect}": {
            **host.settings,
            "name": f"Mock {host.name}",
            "base_url": taps[host.name].url,
            "api_key": SECRET,
            "discover": False,
            "models": {
                model_id(place): {**row, "upstream": host.model}
                for place in places
                if place.host is host
            },
        }
        for host in HOSTS
    }
    for place in kinds:
        name = f"mock-{place.host.dialect}-{place.kind.name}"
        provider = providers.setdefault(name, _kind_provider(taps, place))
        provider["models"][model_id(place)] = _kind_model(place)
    return {"providers": providers, "demo": "off"}


def _kind_provider(taps: dict[str, Tap], place: KindPlace) -> dict[str, Any]:
    tap, server = taps[place.host.name], place.server
    return {
        **place.host.settings,
        "name": provider_name(place),
        "base_url": tap.url if server is None else tap.at(server.base),
        "api_key": SECRET,
        "discover": False,
        "models": {},
    }


def _kind_model(place: KindPlace) -> dict[str, Any]:
    row = {"upstream": "none"} if place.server is None else {"upstream": place.server.model}
    more = {} if place.server is None else place.server.row
    return {**row, **more, "outputs": [place.kind.name]}


@contextmanager
def _mock(node: str, home: Path, script: dict[str, object]) -> Iterator[int]:
    """Run the mock server; what no fixture answers it refuses with a 503."""
    fixtures, log, port = home / "fixtures.json", home / "aimock.log", free_port()
    fixtures.write_text(json.dumps(script))
    program = str(AIMOCK / "dist" / "cli.js")
    options = ["--port", str(port), "--fixtures", str(fixtures), "--strict", "--validate-on-load"]
    environ = {**os.environ, "AIMOCK_STRICT_TURN_INDEX": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen([node, program, *options], env=environ, stdout=out, stderr=out)
    try:
        _wait(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=30):
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    raise AssertionError(f"the mock server did not start:\n{log.read_text()}")
