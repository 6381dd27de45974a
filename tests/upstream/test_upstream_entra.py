"""Access tokens of Entra ID: fetched once, kept until shortly before their end, refused in words.

The exchange is the one that learn.microsoft.com shows, "OAuth 2.0 client credentials flow".
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.secret import Secret
from dragoman.net.types import NetError, Request
from dragoman.providers.dialect import Kind
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing import optional
from dragoman.upstream.signing.entra import SCOPE, EntraSigner
from dragoman.upstream.signing.optional import Token
from tests.access.fakes import HandClock
from tests.upstream.hosts import Hosts, Script, breaks, plays

REQUEST = Request(method="POST", url="https://r.openai.azure.com/openai/v1/chat/completions")
GRANTED = plays(b'{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0.t"}')
ENVIRON = {"AZURE_TENANT_ID": "t-1", "AZURE_CLIENT_ID": "c-1", "AZURE_CLIENT_SECRET": "s~1&"}
OWN = json.dumps({"tenant_id": "t-2", "client_id": "c-2", "client_secret": "s-2"})


class Stage:
    """A signer, and the token server that it asks."""

    def __init__(
        self, script: Script | Sequence[Script] = GRANTED, environ: dict[str, str] | None = None
    ) -> None:
        self.now = HandClock()
        host = "login.microsoftonline.com"
        self.hosts = Hosts(self.now, **{host: script, "login.example": GRANTED})
        clock = Clock(wall=lambda: 1_000_000.0, monotonic=self.now)
        known = ENVIRON if environ is None else environ
        self.signer = EntraSigner(self.hosts, clock, known)

    async def signed(self, secret: str = "", id_: str = "azure:1") -> Request:
        one = Credential(id=id_, provider="azure", secret=Secret(secret), source="a test")
        return await self.signer.signed(REQUEST, one)

    async def refused(self, secret: str = "", **more: Any) -> AttemptFailed:
        with pytest.raises(AttemptFailed) as refused:
            await self.signed(secret, **more)
        return refused.value


async def test_the_environments_application_is_exchanged_for_a_token() -> None:
    stage = Stage()
    made = await stage.signed()
    assert made.headers == (("Authorization", "Bearer eyJ0.t"),)
    ((_, asked),) = stage.hosts.calls
    assert asked.url == "https://login.microsoftonline.com/t-1/oauth2/v2.0/token"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["c-1"],
        "client_secret": ["s~1&"],
        "scope": [SCOPE],
    }


async def test_a_token_is_fetched_once_and_used_until_five_minutes_before_its_end() -> None:
    stage = Stage()
    await asyncio.gather(*[stage.signed() for _ in range(5)])
    stage.now.now += 3299 - 1
    await stage.signed()
    assert len(stage.hosts.calls) == 1
    stage.now.now += 1
    await stage.signed()
    assert len(stage.hosts.calls) == 2


async def test_who_stops_waiting_does_not_stop_it_for_others() -> None:
    gate = asyncio.Event()
    stage = Stage(Script(acts=GRANTED.acts, head=(gate,)))
    first, second = asyncio.create_task(stage.signed()), asyncio.create_task(stage.signed())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert (await second).headers == (("Authorization", "Bearer eyJ0.t"),)
    assert len(stage.hosts.calls) == 1


async def test_an_accounts_own_application_has_a_token_of_its_own() -> None:
    stage = Stage()
    await stage.signed()
    await stage.signed(OWN, "byok:1")
    assert [call.url.split("/")[3] for _, call in stage.hosts.calls] == ["t-1", "t-2"]


async def test_national_clouds_have_another_authority() -> None:
    stage = Stage(environ={**ENVIRON, "AZURE_AUTHORITY_HOST": "https://login.example/"})
    await stage.signed()
    assert stage.hosts.called == ["login.example"]


@pytest.mark.parametrize(
    "secret", ["key", "{", "{}", OWN.replace("t-2", "../x"), OWN.replace("t-2", "")]
)
async def test_what_is_no_application_is_refused_before_anybody_is_asked(secret: str) -> None:
    stage = Stage()
    refused = await stage.refused(secret)
    assert refused.fault.kind is Kind.CREDENTIAL
    assert stage.hosts.calls == []


async def test_an_account_never_gets_what_the_machine_has() -> None:
    assert "empty" in (await Stage().refused(id_="byok:1")).fault.message


async def test_a_refusal_tells_why() -> None:
    body = b'{"error":"invalid_client","error_description":"AADSTS7000215: Invalid secret."}'
    refused = await Stage(Script(status=401, acts=(body,))).refused()
    assert refused.fault.kind is Kind.CREDENTIAL
    assert (refused.fault.code, refused.fault.status) == ("invalid_client", 401)
    assert "AADSTS7000215" in refused.fault.message
    assert (await Stage(Script(status=400, acts=(b"<html>",))).refused()).fault.code == "credential"


@pytest.mark.parametrize(
    "script",
    [plays(b"{}"), plays(b'{"access_token":"a\\nb"}'), plays(b"[["), Script(status=503)],
)
async def test_nonsense_is_no_fault_of_the_credential(script: Script) -> None:
    assert (await Stage(script).refused()).fault.kind is Kind.TRANSIENT


async def test_a_kept_connection_that_died_is_asked_again() -> None:
    dead = breaks(NetError("reset", "gone", reused=True))
    await Stage([dead, GRANTED]).signed()
    refused = await Stage([dead, breaks(NetError("refused", "no"))]).refused()
    assert refused.fault.kind is Kind.TRANSIENT
    late = Stage(breaks(NetError("head", "slow")))
    await late.refused()
    assert len(late.hosts.calls) == 1


async def test_a_failure_is_not_kept() -> None:
    stage = Stage([Script(status=503), GRANTED])
    await stage.refused()
    assert (await stage.signed()).headers


async def test_a_managed_identity_is_asked_where_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def found(scope: str) -> Token:
        asked.append(scope)
        return Token("mi.t", 1_000_000.0 + 1000)

    monkeypatch.setattr(optional, "of_azure", found)
    stage = Stage(environ={})
    assert (await stage.signed()).headers == (("Authorization", "Bearer mi.t"),)
    stage.now.now += 699
    await stage.signed()
    assert asked == [SCOPE]
    stage.now.now += 1
    await stage.signed()
    assert len(asked) == 2
    monkeypatch.setattr(optional, "of_azure", lambda _scope: None)
    assert "dragoman[azure]" in (await Stage(environ={}).refused()).fault.message
