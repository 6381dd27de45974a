"""Being let in at Google Cloud: credentials become tokens, once, and are kept apart."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.types import NetError, Request
from dragoman.providers.dialect import Kind
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing import google
from dragoman.upstream.signing.google import GoogleSigner
from dragoman.upstream.signing.kept import FRESH_S
from tests.access.fakes import HandClock
from tests.upstream.google_cloud import (
    USER,
    TokenServer,
    claims,
    credential,
    pem,
    service_account,
    token_server,
)
from tests.upstream.hosts import Hosts, breaks, plays

URL = "https://us-central1-aiplatform.googleapis.com/v1/projects/our-project/locations/us-central1"
ASKED = Request(method="POST", url=f"{URL}/publishers/google/models/m:generateContent")
WALL = 1_790_000_000.5


class Cloud:
    """A signer before a token server, with a clock in hand."""

    def __init__(self, server: TokenServer, client: HttpClient, environ: Mapping[str, str]) -> None:
        self.server = server
        self.now = HandClock()
        clock = Clock(wall=lambda: WALL, monotonic=self.now)
        self.signer = GoogleSigner(client, clock, environ, server.url)

    async def token(self, secret: object, id_: str = "google-vertex:1") -> str:
        return dict((await self.signed(secret, id_)).headers)["Authorization"]

    async def signed(self, secret: object, id_: str = "google-vertex:1") -> Request:
        return await self.signer.signed(ASKED, credential(secret, id_))

    async def fault(self, secret: object, id_: str = "google-vertex:1") -> Any:
        with pytest.raises(AttemptFailed) as failed:
            await self.signed(secret, id_)
        return failed.value.fault


@asynccontextmanager
async def cloud(**environ: str) -> AsyncIterator[Cloud]:
    async with token_server() as server:
        client = HttpClient(Clock())
        try:
            if "GCE_METADATA_HOST" in environ:
                environ["GCE_METADATA_HOST"] = server.host
            yield Cloud(server, client, environ)
        finally:
            await client.aclose()


async def test_a_service_account_signs_an_assertion() -> None:
    async with cloud() as there:
        assert await there.token(service_account()) == "Bearer ya29.token-1"
        (form,) = there.server.forms
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        header, body = claims(form["assertion"])
        assert header == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
        assert body == {
            "iss": "robot@their-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": there.server.url,
            "iat": 1_790_000_000,
            "exp": 1_790_003_600,
        }


async def test_a_token_is_kept_until_five_minutes_before_its_end() -> None:
    async with cloud() as there:
        account = service_account()
        first = await there.token(account)
        there.now.now += 3598 - 300
        assert await there.token(account) == first
        there.now.now += 1
        assert await there.token(account) == "Bearer ya29.token-2"


async def test_a_token_that_is_refused_is_forgotten_unless_it_is_new() -> None:
    async with cloud() as there:
        account = credential(service_account())
        first = await there.signer.signed(ASKED, account)
        assert not there.signer.refused(first, account)
        there.now.now += FRESH_S
        assert there.signer.refused(first, account)
        assert there.signer.refused(first, account), "another is not here yet"
        second = await there.signer.signed(ASKED, account)
        assert ("Authorization", "Bearer ya29.token-2") in second.headers
        assert there.signer.refused(first, account), "another is here"
        assert await there.signer.signed(ASKED, account) == second


async def test_a_burst_asks_once_and_who_leaves_does_not_stop_it() -> None:
    async with cloud() as there:
        there.server.wait.clear()
        account = service_account()
        waiting = [asyncio.create_task(there.token(account)) for _ in range(20)]
        await there.server.came.wait()
        waiting[0].cancel()
        there.server.wait.set()
        got = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert set(got[1:]) == {"Bearer ya29.token-1"}
        assert len(there.server.heads) == 1


async def test_a_key_is_read_once_for_all_its_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def load(pem: bytes, password: None, **how: bool) -> object:
        read.append(pem)
        return load_pem_private_key(pem, password, **how)

    monkeypatch.setattr(google, "load_pem_private_key", load)
    async with cloud() as there:
        account = service_account()
        await there.token(account)
        there.now.now += 3600
        assert await there.token(account) == "Bearer ya29.token-2"
        assert len(read) == 1


async def test_a_key_that_would_take_seconds_to_read_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(google, "load_pem_private_key")
    long = pem().replace("\n-----END", "\n" + "A" * google.MOST_PEM + "\n-----END")
    async with cloud() as there:
        fault = await there.fault(service_account(private_key=long), "byok:1:1")
        assert fault.kind is Kind.CREDENTIAL
        assert "longer than any of 4096 bits" in fault.message
        assert there.server.heads == []


async def test_credentials_do_not_share_tokens() -> None:
    async with cloud() as there:
        one = await there.token(service_account())
        assert await there.token(service_account(client_email="other@x.example")) != one


async def test_a_users_refresh_token_is_exchanged_and_their_project_pays() -> None:
    async with cloud() as there:
        request = await there.signed(USER)
        assert ("x-goog-user-project", "paying-project") in request.headers
        assert request.url == ASKED.url
        assert there.server.forms == [
            {
                "grant_type": "refresh_token",
                "client_id": USER["client_id"],
                "client_secret": USER["client_secret"],
                "refresh_token": USER["refresh_token"],
            }
        ]


async def test_a_file_is_read_again_for_each_token(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(service_account()))
    async with cloud() as there:
        await there.token(str(path))
        path.write_text(json.dumps(service_account(private_key_id="kid-2")))
        there.now.now += 3600
        await there.token(str(path))
        kids = [claims(form["assertion"])[0]["kid"] for form in there.server.forms]
        assert kids == ["kid-1", "kid-2"]


async def test_without_a_credential_googles_own_places_are_looked_at(tmp_path: Path) -> None:
    named = tmp_path / "named.json"
    named.write_text(json.dumps(service_account(private_key_id="named")))
    usual = tmp_path / "application_default_credentials.json"
    usual.write_text(json.dumps(USER))
    folder = str(tmp_path)
    async with cloud(CLOUDSDK_CONFIG=folder, GOOGLE_APPLICATION_CREDENTIALS=str(named)) as there:
        await there.token("")
        assert "assertion" in there.server.forms[0]
    async with cloud(CLOUDSDK_CONFIG=folder) as there:
        await there.token("")
        assert there.server.forms[0]["grant_type"] == "refresh_token"
    nowhere = str(tmp_path / "none")
    async with cloud(HOME=nowhere, GCE_METADATA_HOST="") as there:
        assert await there.token("") == "Bearer ya29.token-1"
        head = there.server.heads[0]
        assert head.startswith(b"GET /computeMetadata/v1/instance/service-accounts/default/token ")
        assert b"Metadata-Flavor: Google" in head


async def test_an_accounts_own_credential_calls_its_own_project() -> None:
    async with cloud() as there:
        own = await there.signed(service_account(), "byok:1:1")
        assert own.url == ASKED.url.replace("our-project", "their-project")
        house = await there.signed(service_account(private_key_id="other"))
        assert house.url == ASKED.url


@pytest.mark.parametrize("secret", ["", "/etc/hostname", "~/key.json", USER, "[]"])
async def test_an_account_names_no_file_and_no_machine(secret: object) -> None:
    async with cloud(GCE_METADATA_HOST="") as there:
        fault = await there.fault(secret, "byok:1:1")
        assert fault.kind is Kind.CREDENTIAL
        assert there.server.heads == []


def _another_key() -> str:
    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "/no/such/file.json",
        "{",
        {"type": "service_account"},
        {"type": "external_account", "audience": "x"},
        {"type": "authorized_user", "client_id": "x"},
        service_account(private_key="none"),
        service_account(private_key=_another_key()),
        service_account(project_id="../x"),
        {"type": 7},
    ],
)
async def test_a_credential_that_is_none_is_held_against_the_credential(secret: object) -> None:
    async with cloud() as there:
        fault = await there.fault(secret)
        assert fault.kind is Kind.CREDENTIAL
        assert "PRIVATE KEY" not in fault.message
        assert there.server.heads == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant", "error_description": "Bad key."}, Kind.CREDENTIAL),
        (401, {"error": "invalid_client"}, Kind.CREDENTIAL),
        (403, b"no", Kind.CREDENTIAL),
        (500, b"no", Kind.TRANSIENT),
        (200, b"no", Kind.TRANSIENT),
        (200, {"access_token": "a\r\nX-Evil: 1"}, Kind.TRANSIENT),
        (200, {"access_token": 7}, Kind.TRANSIENT),
    ],
)
async def test_what_the_token_server_says_decides(status: int, body: Any, kind: Kind) -> None:
    async with cloud() as there:
        there.server.status, there.server.body = status, body
        fault = await there.fault(service_account())
        assert fault.kind is kind
        there.server.status, there.server.body = 200, {}
        assert (await there.token(service_account())).startswith("Bearer ya29.")


async def test_a_token_server_that_is_away_is_nobodys_credential() -> None:
    now = HandClock()
    for error, kind in (
        (NetError("refused", "no"), Kind.TRANSIENT),
        (NetError("head", "slow"), Kind.TIMEOUT),
        (NetError("pool", "full"), Kind.LOCAL),
    ):
        hosts = Hosts(now, **{"oauth2.googleapis.com": breaks(error)})
        signer = GoogleSigner(hosts, Clock(monotonic=now), {})
        with pytest.raises(AttemptFailed) as failed:
            await signer.signed(ASKED, credential(service_account()))
        assert failed.value.fault.kind is kind


async def test_a_kept_connection_that_died_is_tried_once_more() -> None:
    now = HandClock()
    died = breaks(NetError("eof", "gone", reused=True))
    hosts = Hosts(now, **{"oauth2.googleapis.com": [died, plays(b'{"access_token":"t"}')]})
    signer = GoogleSigner(hosts, Clock(monotonic=now), {})
    request = await signer.signed(ASKED, credential(service_account()))
    assert request.headers == (("Authorization", "Bearer t"),)
    assert {call.url for _, call in hosts.calls} == {"https://oauth2.googleapis.com/token"}
