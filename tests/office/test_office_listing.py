"""With what a host is asked for its models: never with a secret that is exchanged or signs."""

import pytest

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Auth
from dragoman.core.secret import Secret
from dragoman.office.discovery import fetch_models
from tests.access.fakes import HandClock
from tests.upstream.hosts import Hosts, plays
from tests.upstream.scenery import provider


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ("bearer", {"Authorization": "Bearer hidden"}),
        ("api-key", {"api-key": "hidden"}),
        ("none", {}),
        ("sigv4", {}),
        ("gcp", {}),
        ("entra", {}),
    ],
)
async def test_what_lets_in(auth: Auth, sent: dict[str, str]) -> None:
    hosts = Hosts(HandClock(), acme=plays(b'{"data":[]}'))
    secret = Credential(id="acme:1", provider="acme", secret=Secret("hidden"), source="a test")
    await fetch_models(hosts, provider("acme", auth=auth), secret)
    assert dict(hosts.calls[0][1].headers) == {"Accept": "application/json", **sent}
