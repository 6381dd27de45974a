"""The control plane: public lists, what a key may see, and refusals in one shape."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.core.clock import Clock
from dragoman.core.ids import key_hash
from dragoman.office.premises import Premises, open_premises
from dragoman.records.reader import Reader
from dragoman.records.recorder import Recorder
from dragoman.records.types import Generation
from dragoman.web.control import control_plane
from dragoman.web.outlet import Receive, Send
from dragoman.web.plane import Control
from tests.access.fakes import PEPPER, FakeKeeper
from tests.relay.scene import catalog, endpoint
from tests.web.asgi import Client


class Plane:
    """A control plane over real databases, with one model and one good key."""

    def __init__(self, premises: Premises) -> None:
        keeper = FakeKeeper()
        self.key = keeper.mint()
        self.problems: list[str] = []
        self.recorder = Recorder(premises.records)
        self._app = control_plane(
            Control(
                catalog=lambda: catalog(endpoint("a"), endpoint("b")),
                gate=Gate(keeper, PEPPER, Clock(), AccessOptions()),
                ledger=premises.ledger,
                reader=Reader(premises.records, self.recorder.flush),
                clock=Clock(),
                problems=lambda: self.problems,
            )
        )

    async def serve(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Client:
        path, _, query = path.partition("?")
        client = Client(b"", headers, method=method, path=path)
        client.scope["query_string"] = query.encode()
        return await client.of(self.serve)

    async def get_keyed(self, path: str) -> Client:
        return await self.get(path, authorization=f"Bearer {self.key}")


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
async def plane(premises: Premises) -> Plane:
    return Plane(premises)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/healthz", "status"),
        ("/readyz", "status"),
        ("/v1/models", "data"),
        ("/v1/models/count", "data"),
        ("/v1/model/acme/turbo", "data"),
        ("/v1/models/acme/turbo/endpoints", "data"),
        ("/v1/providers", "data"),
    ],
)
async def test_what_is_public_needs_no_key(plane: Plane, path: str, key: str) -> None:
    client = await plane.get(path)
    assert client.status == 200
    assert key in client.json()
    assert client.headers["access-control-allow-origin"] == "*"


async def test_a_node_that_cannot_serve_says_why(plane: Plane) -> None:
    plane.problems.append("no provider")
    client = await plane.get("/readyz")
    assert (client.status, client.json()["problems"]) == (503, ["no provider"])
    assert (await plane.get("/healthz")).status == 200


async def test_models_come_in_pages(plane: Plane) -> None:
    assert len((await plane.get("/v1/models?limit=1")).json()["data"]) == 1
    assert (await plane.get("/v1/models?offset=1")).json()["data"] == []
    assert (await plane.get("/v1/models/count")).json()["data"] == {"count": 1}


@pytest.mark.parametrize("path", ["/v1/key", "/v1/auth/key", "/v1/generation?id=gen-1"])
async def test_what_is_not_public_needs_a_good_key(plane: Plane, path: str) -> None:
    assert (await plane.get(path)).status == 401
    bad = await plane.get(path, authorization="Bearer nonsense")
    assert bad.json()["error"]["metadata"]["error_type"] == "authentication"
    assert bad.headers["access-control-allow-origin"] == "*"


async def test_a_generation_is_found_as_soon_as_it_was_recorded(plane: Plane) -> None:
    plane.recorder.record(
        Generation(
            id="gen-1",
            created_at=1.0,
            key_hash=key_hash(plane.key),
            requested="acme/turbo",
            model="acme/turbo",
            provider="a",
            provider_name="A",
            endpoint="a|acme/turbo",
        )
    )
    client = await plane.get_keyed("/v1/generation?id=gen-1")
    assert (client.status, client.json()["data"]["id"]) == (200, "gen-1")


@pytest.mark.parametrize(
    ("path", "method", "status", "error_type"),
    [
        ("/v1/models?limit=many", "GET", 400, "invalid_request"),
        ("/v1/models?limit=0", "GET", 400, "invalid_request"),
        ("/v1/models?offset=-1", "GET", 400, "invalid_request"),
        ("/v1/model/acme/none", "GET", 404, "not_found"),
        ("/v1/models/acme/none/endpoints", "GET", 404, "not_found"),
        ("/nothing", "GET", 404, "not_found"),
        ("/v1/models", "POST", 405, "invalid_request"),
    ],
)
async def test_a_refusal_has_the_one_shape(
    plane: Plane, path: str, method: str, status: int, error_type: str
) -> None:
    client = await plane.get(path, method=method)
    error = client.json()["error"]
    assert (client.status, error["code"]) == (status, status)
    assert error["metadata"]["error_type"] == error_type
    assert client.headers["access-control-allow-origin"] == "*"


async def test_a_wrong_method_is_told_the_right_one(plane: Plane) -> None:
    assert "GET" in (await plane.get("/v1/models", method="DELETE")).headers["allow"]


async def test_a_generation_without_an_id_is_asked_for_it(plane: Plane) -> None:
    client = await plane.get_keyed("/v1/generation")
    assert client.status == 400
    assert client.json()["error"]["message"].startswith("id:")


async def test_a_defect_is_masked_and_passed_on_to_be_logged(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret of this house")

    monkeypatch.setattr("dragoman.catalog.listing.provider_rows", broken)
    client = Client(method="GET", path="/v1/providers")
    with pytest.raises(ZeroDivisionError):
        await client.of(plane.serve)
    assert client.status == 500
    assert client.json()["error"] == {
        "code": 500,
        "message": "Internal Server Error",
        "metadata": {"error_type": "server"},
    }
