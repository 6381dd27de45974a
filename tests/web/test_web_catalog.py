"""The routes of the catalog: what is asked for, what comes back, and whether it may be kept."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from msgspec import structs
from openrouter.operations import ListEndpointsResponse

from dragoman.catalog import listing
from dragoman.catalog.types import DataPolicy, Model
from tests.relay.scene import catalog, endpoint
from tests.web.plane import Plane

ROUTES = [
    "/v1/models",
    "/v1/models?q=turbo",
    "/v1/models?use_rss=true",
    "/v1/models/count",
    "/v1/embeddings/models",
    "/v1/models/user",
    "/v1/models/acme/turbo",
    "/v1/models/acme/turbo/endpoints",
    "/v1/model/acme/turbo",
    "/v1/providers",
    "/v1/endpoints/zdr",
]


@pytest.fixture
def several(plane: Plane) -> Plane:
    """Return the control plane before three models, newest first c, b, a."""
    (turbo,) = plane.catalog.models.values()
    models = [structs.replace(turbo, id=f"acme/{n}", created=i) for i, n in enumerate("abc", 1)]
    plane.catalog = structs.replace(plane.catalog, models={each.id: each for each in models})
    return plane


async def ids(plane: Plane, path: str) -> list[str]:
    answer = (await plane.get(path)).json()
    return [row["id"] for row in answer["data"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "cba"),
        ("?limit=1", "c"),
        ("?offset=1", "ba"),
        ("?limit=1000", "cba"),
        ("?after_id=acme/c&limit=1", "b"),
        ("?q=acme/a", "a"),
        ("?sort=newest&offset=2&limit=5", "a"),
        ("?providers=a&providers=b", "cba"),
        ("?unheard_of=1", "cba"),
    ],
)
async def test_models_are_filtered_and_come_in_pages(
    several: Plane, query: str, found: str
) -> None:
    assert await ids(several, f"/v1/models{query}") == [f"acme/{name}" for name in found]


async def test_the_link_to_the_next_page_leads_to_the_rest(several: Plane) -> None:
    first = (await several.get("/v1/models?q=acme&limit=2")).json()
    following = first["links"]["next"]
    assert following == "/api/v1/models?q=acme&offset=2&limit=2"
    assert (first["total_count"], first["has_more"]) == (3, True)
    assert await ids(several, following.removeprefix("/api")) == ["acme/a"]


async def test_the_count_is_of_what_would_be_listed(several: Plane) -> None:
    for query, count in {"": 3, "?q=acme/a": 1, "?output_modalities=image": 0}.items():
        answer = await several.get(f"/v1/models/count{query}")
        assert answer.json() == {"data": {"count": count}}


async def test_a_caller_sees_the_models_it_can_use(several: Plane) -> None:
    client = await several.get_keyed("/v1/models/user?limit=1")
    assert [row["id"] for row in client.json()["data"]] == ["acme/c"]
    assert client.json()["links"]["next"] == "/api/v1/models/user?offset=1&limit=1"


async def test_a_new_catalog_is_shown_at_once(plane: Plane) -> None:
    before = await plane.get("/v1/models")
    plane.catalog = catalog(endpoint("c", configured=False))
    after = await plane.get("/v1/models")
    assert len(before.json()["data"]) == 1
    assert after.json()["data"] == []
    assert await ids(plane, "/v1/models?availability=all") == ["acme/turbo"]


async def test_the_usual_list_is_made_once_of_each_catalog(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    real = listing.listed

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(listing, "listed", counted)
    for path in ("/v1/models", "/v1/models", "/v1/models?q=turbo", "/v1/models/count"):
        await plane.get(path)
    assert len(made) == 1


@pytest.mark.parametrize("path", ROUTES)
async def test_head_answers_as_get_without_the_body(plane: Plane, path: str) -> None:
    got = await plane.get_keyed(path)
    head = await plane.get(path, method="HEAD", authorization=f"Bearer {plane.key}")
    assert (got.status, head.status, head.body) == (200, 200, b"")
    assert head.headers == got.headers
    assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize("path", ROUTES)
async def test_a_copy_that_is_still_good_is_not_sent_again(plane: Plane, path: str) -> None:
    key = f"Bearer {plane.key}"
    tag = (await plane.get(path, authorization=key)).headers["etag"]
    for condition in (tag, f'W/"other", W/{tag}', "*"):
        again = await plane.get(path, authorization=key, **{"if-none-match": condition})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["access-control-allow-origin"] == "*"
    other = await plane.get(path, authorization=key, **{"if-none-match": '"other"'})
    assert other.status == 200


async def test_a_feed_links_to_where_it_was_asked_for(plane: Plane) -> None:
    for host, base in {
        "gate.example:4000": "http://gate.example:4000",
        "[::1]:4000": "http://[::1]:4000",
        'evil"><script>': "http://localhost",
    }.items():
        client = await plane.get("/v1/models?use_rss=true&use_rss_chat_links=true", host=host)
        assert client.headers["content-type"].startswith("application/rss+xml")
        item = ET.fromstring(client.body).find("channel/item")
        assert item is not None
        assert item.findtext("link") == f"{base}/api/v1/models/acme/turbo/endpoints"


async def test_a_feed_without_a_host_header_knows_the_servers_address(plane: Plane) -> None:
    client = plane.request("/v1/models?use_rss=true")
    client.scope["server"] = ("127.0.0.1", 4000)
    await client.of(plane.serve)
    assert b"<link>http://127.0.0.1:4000/api/v1/models</link>" in client.body


async def test_codex_is_given_its_own_list_beside_the_common_one(plane: Plane) -> None:
    answer = (await plane.get("/v1/models?client_version=0.169.0")).json()
    assert [entry["slug"] for entry in answer["models"]] == [row["id"] for row in answer["data"]]
    assert "models" not in (await plane.get("/v1/models")).json()


async def test_one_model_as_openrouters_and_as_openais_clients_read_it(plane: Plane) -> None:
    wrapped = (await plane.get("/v1/model/acme/turbo:nitro")).json()
    bare = (await plane.get("/v1/models/acme/turbo")).json()
    assert wrapped == {"data": bare}
    assert (bare["id"], bare["object"]) == ("acme/turbo", "model")


async def test_endpoints_show_what_was_seen_of_them(plane: Plane) -> None:
    (model,) = plane.catalog.models.values()
    first, second = model.endpoints
    for _ in range(4):
        plane.health.succeeded(first.id, 0.0, 0.25, 80.0)
        plane.health.failed(second.id, 0.0)
    answer = (await plane.get("/v1/models/acme/turbo/endpoints")).json()
    good, bad = ListEndpointsResponse.model_validate(answer).data.endpoints
    assert good.latency_last_30m is not None
    assert good.throughput_last_30m is not None
    assert (good.latency_last_30m.p50, good.throughput_last_30m.p50) == (250.0, 80.0)
    assert (good.uptime_last_5m, good.status) == (100.0, 0)
    assert (bad.uptime_last_1d, bad.latency_last_30m, bad.status) == (0.0, None, -5)


async def test_endpoints_that_retain_nothing(plane: Plane) -> None:
    policy = DataPolicy(zdr=True)
    plane.catalog = catalog(endpoint("a"), endpoint("b", policy=policy, configured=False))
    answer = (await plane.get("/v1/endpoints/zdr")).json()
    assert [(row["tag"], row["status"]) for row in answer["data"]] == [("b", -1)]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/models?sort=best", "sort: 'best' is not one of newest, "),
        ("/v1/models/count?region=mars", "region: 'mars' is not one of eu, us"),
        ("/v1/models?use_rss=yes", "use_rss: 'yes' is not one of true, false"),
        ("/v1/models?use_rss_chat_links=2", "use_rss_chat_links: '2'"),
        ("/v1/models?category=programming", "category: this gateway has no data"),
        ("/v1/models?after_id=no/such", "after_id: 'no/such' is not in this list"),
    ],
)
async def test_a_value_that_is_not_known_is_named(plane: Plane, path: str, hint: str) -> None:
    client = await plane.get(path)
    assert client.status == 400
    assert client.json()["error"]["message"].startswith(hint)


@pytest.mark.parametrize("path", ["/v1/model/acme/tubro", "/v1/models/acme/tubro/endpoints"])
async def test_a_model_that_is_not_there_is_refused_with_the_nearest(
    plane: Plane, path: str
) -> None:
    client = await plane.get(path)
    assert client.status == 404
    assert client.json()["error"]["message"] == (
        "acme/tubro is not a model of this gateway's catalog. Did you mean acme/turbo?"
    )


async def test_an_empty_catalog_suggests_nothing(plane: Plane) -> None:
    none: dict[str, Model] = {}
    plane.catalog = structs.replace(plane.catalog, models=none)
    client = await plane.get("/v1/model/acme/turbo")
    assert client.json()["error"]["message"].endswith("this gateway's catalog.")


async def test_the_routes_are_described(plane: Plane) -> None:
    paths = (await plane.get("/v1/openapi.json")).json()["paths"]
    assert {"/v1/models", "/v1/models/count", "/v1/endpoints/zdr"} <= paths.keys()
