"""What is said when a gateway cannot be reached, and what would help."""

import pytest

from dragoman.cli.gateway import unreachable
from dragoman.net.types import NetError, Phase

UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"


@pytest.mark.parametrize(
    ("url", "phase", "detail", "said"),
    [
        ("http://a", "refused", "refused", "Start one: dragoman serve (or name it with --url)"),
        ("https://a", "tls", UNTRUSTED, "is named by SSL_CERT_FILE=its.pem"),
        ("https://a", "tls", "[SSL: WRONG_VERSION_NUMBER] wrong version", "wrong version"),
        ("http://a", "eof", "the peer closed", "If it speaks TLS, its address begins with https"),
        (
            "https://a",
            "eof",
            "the peer closed",
            "The connection to https://a broke: the peer closed",
        ),
    ],
)
def test_it_is_said_what_would_help(url: str, phase: Phase, detail: str, said: str) -> None:
    assert unreachable(url, NetError(phase, detail)).endswith(said)
