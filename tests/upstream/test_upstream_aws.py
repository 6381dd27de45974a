"""How calls to Bedrock are let in: a key as it is, an access key by a signature."""

import asyncio
import json
from typing import Any

import pytest

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.secret import Secret
from dragoman.net.types import Request
from dragoman.providers.dialect import Kind
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing import optional
from dragoman.upstream.signing.aws import GOOD_S, AwsSigner
from dragoman.upstream.signing.kept import FRESH_S
from dragoman.upstream.signing.optional import AccessKey
from tests.access.fakes import HandClock

URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
REQUEST = Request(method="POST", url=URL, headers=(("Accept", "x"),), body=b"{}")
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "hidden"}
OWN = {"accessKeyId": "AKIDOWN", "secretAccessKey": "hidden", "region": "eu-west-3"}


def credential(secret: str = "", id_: str = "amazon-bedrock:1") -> Credential:
    return Credential(id=id_, provider="amazon-bedrock", secret=Secret(secret), source="a test")


def signer(environ: dict[str, str] | None = None, clock: HandClock | None = None) -> AwsSigner:
    ticking = Clock(wall=lambda: 1_763_720_000.0, monotonic=clock or HandClock())
    return AwsSigner(ticking, environ if environ is not None else ENVIRON)


async def signed(
    secret: str = "", *, by: AwsSigner | None = None, request: Request = REQUEST, **more: Any
) -> Request:
    return await (by or signer()).signed(request, credential(secret, **more))


def proof(request: Request) -> str:
    return dict(request.headers)["Authorization"]


async def test_a_key_of_bedrocks_own_is_sent_as_it_is() -> None:
    made = await signed("ABSKkey")
    assert made.headers == (("Accept", "x"), ("Authorization", "Bearer ABSKkey"))


async def test_the_environments_access_key_signs_for_the_hosts_region() -> None:
    made = await signed()
    assert proof(made).startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDENV/20251121/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=accept;host;x-amz-date, Signature="
    )
    assert (made.url, made.body) == (URL, b"{}")


async def test_a_token_for_a_while_goes_along() -> None:
    made = await signed(by=signer({**ENVIRON, "AWS_SESSION_TOKEN": "tok"}))
    assert dict(made.headers)["X-Amz-Security-Token"] == "tok"
    assert "x-amz-security-token" in proof(made)


async def test_a_host_without_a_region_takes_the_environments() -> None:
    local = Request(method="POST", url="http://127.0.0.1:9/model/m/converse")
    made = await signed(by=signer({**ENVIRON, "AWS_REGION": "sa-east-1"}), request=local)
    assert "/sa-east-1/bedrock/" in proof(made)
    with pytest.raises(AttemptFailed, match="no region"):
        await signed(request=local)


async def test_an_accounts_own_key_calls_its_own_region() -> None:
    made = await signed(json.dumps(OWN), id_="byok:1")
    assert made.url == "https://bedrock-runtime.eu-west-3.amazonaws.com/model/m/converse"
    assert "Credential=AKIDOWN/20251121/eu-west-3/" in proof(made)


async def test_a_region_moves_no_call_away_from_amazon() -> None:
    local = Request(method="POST", url="http://bedrock-runtime.us-east-1.evil.test/x")
    made = await signed(json.dumps(OWN), request=local)
    assert made.url == local.url


@pytest.mark.parametrize(
    "secret",
    [
        "{",
        "{}",
        json.dumps({**OWN, "region": "a.evil.test/"}),
        json.dumps({**OWN, "accessKeyId": "A\nB"}),
        json.dumps({**OWN, "sessionToken": "é"}),
        '{"accessKeyId":' + "[" * 5000,
    ],
)
async def test_what_is_no_access_key_is_refused(secret: str) -> None:
    with pytest.raises(AttemptFailed) as refused:
        await signed(secret)
    assert refused.value.fault.kind is Kind.CREDENTIAL
    assert "hidden" not in refused.value.fault.message


async def test_an_account_never_gets_what_the_machine_has() -> None:
    with pytest.raises(AttemptFailed, match="empty"):
        await signed(id_="byok:1")


async def test_without_an_access_key_botocore_is_asked_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def found() -> AccessKey:
        asked.append(1)
        return AccessKey(f"AKID{len(asked)}", "hidden", "tok")

    monkeypatch.setattr(optional, "of_botocore", found)
    clock = HandClock()
    by = signer({}, clock)
    made = await asyncio.gather(*[signed(by=by) for _ in range(5)])
    assert len(asked) == 1
    assert all("Credential=AKID1/" in proof(each) for each in made)
    clock.now += GOOD_S
    assert "Credential=AKID2/" in proof(await signed(by=by))
    assert not by.refused(REQUEST, credential())
    clock.now += FRESH_S
    assert by.refused(REQUEST, credential())
    assert "Credential=AKID3/" in proof(await signed(by=by))


async def test_what_botocore_lacks_is_a_refused_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "of_botocore", lambda: None)
    with pytest.raises(AttemptFailed, match=r"dragoman\[aws\]"):
        await signed(by=signer({}))

    def broken() -> AccessKey:
        raise OSError("botocore: the SSO session has expired")

    monkeypatch.setattr(optional, "of_botocore", broken)
    with pytest.raises(AttemptFailed, match="SSO session") as refused:
        await signed(by=signer({}))
    assert refused.value.fault.kind is Kind.CREDENTIAL
