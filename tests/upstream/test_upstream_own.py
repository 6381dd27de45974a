"""What a caller is told when own credentials failed, and that no secret is told with it."""

import pytest
from msgspec.structs import replace

from dragoman.catalog.byok import Byok
from dragoman.core.errors import CapacityExhausted, ProviderUnavailable
from dragoman.net.types import Request
from dragoman.providers.dialect import Kind
from dragoman.routing.types import Step
from dragoman.upstream.failure import in_band, sum_up
from dragoman.upstream.faults import without_secret, without_tokens
from tests.upstream.scenery import credential, fault, step, tried

HOUSE = step("a")
CREDENTIAL = credential("a")
OWN: Step = replace(HOUSE, byok=Byok(credential=CREDENTIAL, origin="http://a"))
SECRET = CREDENTIAL.secret.reveal()


def test_a_refused_own_credential_is_the_accounts_to_mend() -> None:
    error = sum_up([tried(OWN, fault(Kind.CREDENTIAL, 401))], ("acme/turbo",))
    assert isinstance(error, ProviderUnavailable)
    assert "your own credential (a:1)" in error.message
    assert error.metadata["is_byok"] is True
    house = sum_up([tried(HOUSE, fault(Kind.CREDENTIAL, 401))], ("acme/turbo",))
    assert "this gateway's credential" in house.message
    assert "is_byok" not in house.metadata


def test_a_rate_limit_is_of_the_account_only_if_nothing_else_was_tried() -> None:
    limited = fault(Kind.RATE, 429, retry_after_s=3.0)
    own = sum_up([tried(OWN, limited)], ("acme/turbo",))
    assert isinstance(own, CapacityExhausted)
    assert own.metadata["limit_source"] == "upstream_provider_byok"
    assert own.metadata["is_byok"] is True
    for one, other in ((OWN, HOUSE), (HOUSE, OWN)):
        both = sum_up([tried(one, limited), tried(other, limited)], ("acme/turbo",))
        assert both.metadata["limit_source"] == "upstream_provider_shared_pool"
        assert "is_byok" not in both.metadata


def test_what_a_provider_echoes_is_told_without_the_secret() -> None:
    echo = replace(fault(), message=f"bad key {SECRET}", raw=f"{SECRET}!", code=f"x-{SECRET}")
    clean = without_secret(echo, CREDENTIAL)
    assert (clean.message, clean.raw, clean.code) == ("bad key …", "…!", "x-…")
    plain = fault()
    assert without_secret(plain, CREDENTIAL) is plain
    assert without_secret(echo, None) is echo


@pytest.mark.parametrize("one", [OWN, HOUSE])
def test_nor_is_it_inside_a_stream(one: Step) -> None:
    echo = replace(fault(), message=f"bad key {SECRET}", code=SECRET)
    error = in_band(echo, one, CREDENTIAL)
    assert SECRET not in error.message + str(error.metadata)


def test_nor_is_the_beginning_of_one_that_was_cut_off() -> None:
    most = SECRET[:-1]
    for ending in (most, f"{most}…"):
        echo = replace(fault(), message=f"bad key {ending}", raw=f"<{ending}")
        clean = without_secret(echo, CREDENTIAL)
        assert (clean.message, clean.raw) == ("bad key …", "<…")


def test_nor_is_a_token_that_was_made_of_it() -> None:
    signed = Request(
        method="POST",
        url="http://a/v1",
        headers=(("Authorization", "Bearer ya29.a-token"), ("X-Amz-Security-Token", "session-12")),
        body=b"",
    )
    echo = replace(fault(), message="got ya29.a-token", raw="Bearer ya29.a-token, session-12")
    clean = without_tokens(echo, signed)
    assert (clean.message, clean.raw) == ("got …", "Bearer …, …")
