"""Accounts' own credentials that are JSON: what may be kept of them, and what is told of others."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dragoman.catalog.types import Auth
from dragoman.core.errors import InvalidRequest
from dragoman.core.secret import Secret
from dragoman.office.byok import label_of
from dragoman.office.own_secrets import FORMS, in_form
from tests.upstream import google_cloud
from tests.upstream.google_cloud import USER, pem
from tests.upstream.google_cloud import service_account as saved

HIDDEN = "hush/0123456789+abcdefghijklmnopqrstuvwx"
AWS = {"accessKeyId": "AKIA0123456789ABCDEF", "secretAccessKey": HIDDEN, "region": "eu-west-3"}
APPLICATION = {
    "tenant_id": "11111111-2222-3333-4444-555555555555",
    "client_id": "66666666-7777-8888-9999-000000000000",
    "client_secret": HIDDEN,
}


def service_account(text: str) -> Secret:
    return in_form(text, FORMS["gcp"])


def test_a_service_account_is_kept_on_one_line_without_what_nobody_reads() -> None:
    secret = service_account(json.dumps(saved(), indent=2))
    kept = json.loads(secret.reveal())
    assert "\n" not in secret.reveal()
    assert kept == {
        "type": "service_account",
        "project_id": "their-project",
        "private_key_id": "kid-1",
        "private_key": pem(),
        "client_email": "robot@their-project.iam.gserviceaccount.com",
    }


def test_it_is_shown_by_its_address() -> None:
    secret = service_account(json.dumps(saved()))
    assert label_of(secret) == "robot@their-project.iam.gserviceaccount.com"
    assert label_of(Secret("sk-0123456789abcdef")) == "sk-...cdef"


def test_an_access_key_and_an_application_are_kept_the_same_way() -> None:
    key = in_form(json.dumps({**AWS, "note": "mine"}, indent=2), FORMS["sigv4"])
    assert json.loads(key.reveal()) == AWS
    assert label_of(key) == "AKI...CDEF"
    application = in_form(json.dumps({**APPLICATION, "note": "mine"}), FORMS["entra"])
    assert json.loads(application.reveal()) == APPLICATION
    assert label_of(application) == "666...0000"
    short = in_form(json.dumps({**AWS, "accessKeyId": "short"}), FORMS["sigv4"])
    assert label_of(short) == "..."


def _another_key() -> str:
    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON object."),
        ("/etc/passwd", "it is no JSON object."),
        ("ya29.an-access-token", "it is no JSON object."),
        ("{", "it is no JSON object."),
        ("[]", "it is no JSON object."),
        ("{}", "it lacks type."),
        ("[" * 100_000, "it is no JSON object."),
        ('{"type": ' + "[" * 100_000, "it is no JSON object."),
        (USER, "its type is not service_account."),
        ({**USER, "client_email": "a", "private_key": "b"}, "its type is not service_account."),
        (saved(type="external_account"), "its type is not service_account."),
        (saved(type=7), "its type is no string."),
        (saved(private_key=None), "it lacks private_key."),
        (saved(private_key="", client_email=""), "it lacks client_email, private_key."),
        (saved(private_key=["x"]), "its private_key is no string."),
        (saved(private_key=pem().replace("\n", "\\n")), "its private_key cannot be read."),
        (saved(private_key=_another_key()), "its private_key is no RSA key."),
        (saved(project_id="../x"), "its project_id is none."),
        (saved(quota_project_id=""), "its quota_project_id is none."),
        (json.dumps(saved(client_email="ä"), ensure_ascii=False), "its members must be ASCII"),
    ],
)
def test_what_is_no_service_account(text: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        service_account(text if isinstance(text, str) else json.dumps(text))
    assert refused.value.message.startswith(f"key: {said}")
    assert "PRIVATE KEY" not in refused.value.message


def test_a_key_that_would_hold_up_everybody_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.upstream.signing.google.MOST_BITS", 1024)
    assert google_cloud.rsa().key_size == 2048
    with pytest.raises(InvalidRequest, match="its private_key has more than 1024 bits"):
        service_account(json.dumps(saved()))


@pytest.mark.parametrize(
    ("auth", "given", "said"),
    [
        ("sigv4", [AWS], "it is no JSON object."),
        ("sigv4", {}, "it lacks accessKeyId, secretAccessKey."),
        ("sigv4", {**AWS, "secretAccessKey": None}, "it lacks secretAccessKey."),
        ("sigv4", {"access_key_id": "x", "secretAccessKey": HIDDEN}, "it lacks accessKeyId."),
        ("sigv4", {**AWS, "accessKeyId": HIDDEN}, "its accessKeyId is none."),
        ("sigv4", {**AWS, "secretAccessKey": f"{HIDDEN} "}, "its secretAccessKey is none."),
        ("sigv4", {**AWS, "region": "Frankfurt"}, "its region is none."),
        ("sigv4", {**AWS, "region": 5}, "its region is no string."),
        ("sigv4", {**AWS, "sessionToken": "é"}, "its sessionToken is none."),
        ("entra", HIDDEN, "it is no JSON object."),
        ("entra", {"client_id": "x", "client_secret": HIDDEN}, "it lacks tenant_id."),
        ("entra", {**APPLICATION, "tenant_id": "../x"}, "its tenant_id is none."),
        ("entra", {**APPLICATION, "client_id": HIDDEN}, "its client_id is none."),
        ("entra", {**APPLICATION, "client_secret": ""}, "it lacks client_secret."),
        ("entra", {**APPLICATION, "client_secret": f"{HIDDEN}\n"}, "its client_secret is none."),
    ],
)
def test_what_is_no_access_key_and_no_application(auth: Auth, given: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        in_form(json.dumps(given), FORMS[auth])
    assert refused.value.message == f"key: {said} Give {FORMS[auth].words}."
    assert "hush" not in refused.value.message
