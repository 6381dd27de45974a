"""The control plane: public lists, what a key may see, and refusals in one shape."""

import pytest

from dragoman.core.ids import key_hash
from dragoman.records.types import Generation
from dragoman.web.health import readiness
from tests.web.asgi import Client
from tests.web.plane import Plane


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/healthz", "status"),
        ("/readyz", "status"),
        ("/v1/models", "data"),
        ("/v1/models/count", "data"),
        ("/v1/model/acme/turbo", "data"),
        ("/v1/models/acme/turbo/endpoints", "data"),
        ("/v1/models/acme/turbo", "id"),
        ("/v1/providers", "data"),
        ("/v1/endpoints/zdr", "data"),
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


@pytest.mark.parametrize(
    ("problems", "troubles", "status", "word", "told"),
    [
        ([], (), 200, "ok", None),
        ([], ("a journal",), 200, "degraded", ["a journal"]),
        (["no provider"], ("a journal",), 503, "unavailable", ["no provider", "a journal"]),
    ],
)
def test_a_node_that_serves_is_ready_whatever_else_is_wrong(
    problems: list[str], troubles: tuple[str, ...], status: int, word: str, told: list[str] | None
) -> None:
    found, body = readiness(problems, troubles)
    assert (found, body["status"], body.get("problems")) == (status, word, told)


@pytest.mark.parametrize(
    "path", ["/v1/key", "/v1/auth/key", "/v1/generation?id=gen-1", "/v1/models/user"]
)
async def test_what_is_not_public_needs_a_good_key(plane: Plane, path: str) -> None:
    assert (await plane.get(path)).status == 401
    bad = await plane.get(path, authorization="Bearer nonsense")
    assert bad.json()["error"]["metadata"]["error_type"] == "authentication"
    assert bad.headers["access-control-allow-origin"] == "*"


async def test_a_generation_is_found_as_soon_as_it_was_recorded(plane: Plane) -> None:
    await plane.record(
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


@pytest.mark.parametrize(
    ("path", "method", "message"),
    [
        ("/v1/mine", "GET", "There is nothing at /api/v1/mine."),
        (
            "/v1/models",
            "DELETE",
            "DELETE is not allowed for /api/v1/models. Use GET, HEAD, OPTIONS.",
        ),
    ],
)
async def test_a_path_is_named_as_it_was_asked(
    plane: Plane, path: str, method: str, message: str
) -> None:
    client = Client(method=method, path=path)
    client.scope["raw_path"] = b"/api" + path.encode()
    assert (await client.of(plane.serve)).json()["error"]["message"] == message


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/keys", "GET, POST, OPTIONS"),
        (f"/v1/keys/{'a' * 64}", "GET, PATCH, DELETE, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(plane: Plane, path: str, allowed: str) -> None:
    client = await plane.get(path, method="PUT")
    assert (client.status, client.headers["allow"]) == (405, allowed)


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
