"""Accounts' own credentials that are JSON: what may be kept of them."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.core.secret import Secret
from dragoman.office.byok import label_of
from dragoman.office.own_secrets import service_account
from tests.upstream.google_cloud import USER, pem
from tests.upstream.google_cloud import service_account as saved


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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        "ya29.an-access-token",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps(USER),
        json.dumps({**USER, "client_email": "a", "private_key": "b"}),
        json.dumps(saved(type="external_account")),
        json.dumps(saved(private_key=None)),
        json.dumps(saved(client_email="ä"), ensure_ascii=False),
    ],
)
def test_nothing_else_is_taken(text: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^key: "):
        service_account(text)
