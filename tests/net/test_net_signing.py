"""Signatures of webhooks, by the vector that Standard Webhooks publishes."""

import pytest

from dragoman.net.signing import secret_bytes, secret_text, signature, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_signed_as_published() -> None:
    secret = secret_bytes(SECRET)
    assert signature(secret, ID, AT, BODY) == SIGNATURE
    assert secret_text(secret) == SECRET
    for other in (b"x" * 24, secret[:-1] + b"x"):
        assert signature(other, ID, AT, BODY) != SIGNATURE
    assert signature(secret, ID, AT + 1, BODY) != SIGNATURE
    assert signature(secret, ID, AT, BODY + b" ") != SIGNATURE


def test_while_a_secret_is_replaced_both_sign() -> None:
    headers = dict(signed_headers([b"n" * 32, secret_bytes(SECRET)], ID, AT, BODY))
    new, old = headers.pop("webhook-signature").split(" ")
    assert (new, old) == (signature(b"n" * 32, ID, AT, BODY), SIGNATURE)
    assert headers == {"webhook-id": ID, "webhook-timestamp": str(AT)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_c2hvcnQ=",
        "whsec_" + "A" * 100,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
    ],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secret_bytes(text)
