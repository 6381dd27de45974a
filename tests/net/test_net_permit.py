"""Which addresses a fetch may be given: scheme, port, host, and what the operator allows."""

import pytest

from dragoman.net.fetch import FetchRefused, Permit, Reason
from dragoman.net.options import FetchOptions

HTTP = FetchOptions(allow_http=True)
OWN = FetchOptions(allow=("10.1.2.3/16", "::1", "files.test"), ports=(443, 9443))


@pytest.mark.parametrize(
    ("options", "url", "reason"),
    [
        (FetchOptions(), "https://a.test/x", None),
        (FetchOptions(), "https://a.test:8443/", None),
        (FetchOptions(), "https://a.test./", "url"),
        (FetchOptions(), "https://93.184.215.14/", None),
        (FetchOptions(), "https://a.test:80/", "url"),
        (FetchOptions(), "https://a.test:22/", "url"),
        (FetchOptions(), "http://a.test/", "url"),
        (FetchOptions(), "http://a.test:443/", "url"),
        (FetchOptions(), "ftp://a.test/", "url"),
        (FetchOptions(), "https://a..test/", "url"),
        (FetchOptions(), "https://.test/", "url"),
        (FetchOptions(), "https://me@a.test/", "url"),
        (FetchOptions(), "https://2130706433/", "url"),
        (FetchOptions(), "https://127.1/", "url"),
        (FetchOptions(), "https://0x7f.0.0.1/", "url"),
        (FetchOptions(), "https://10.1.2.3/", "address"),
        (FetchOptions(), "https://[::1]/", "address"),
        (FetchOptions(), "https://[::ffff:10.1.2.3]/", "address"),
        (HTTP, "http://a.test/", None),
        (HTTP, "http://a.test:443/", None),
        (HTTP, "http://a.test:81/", "url"),
        (HTTP, "http://a.test:8080/", "url"),
        (HTTP, "https://a.test:80/", "url"),
        (OWN, "https://10.1.200.7/", None),
        (OWN, "https://10.2.0.1/", "address"),
        (OWN, "https://[::1]:9443/", None),
        (OWN, "https://files.test:8443/", "url"),
    ],
)
def test_an_address_is_refused_before_its_name_is_looked_up(
    options: FetchOptions, url: str, reason: Reason | None
) -> None:
    permit = Permit(options)
    if reason is None:
        assert permit.location(url).origin.host in url
        return
    with pytest.raises(FetchRefused) as refused:
        permit.location(url)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "entry", ["https://files.test", "files.test:443", "a b", "", "10.0.0.0/99"]
)
def test_what_is_neither_a_host_nor_a_network_is_not_allowed_but_said(entry: str) -> None:
    with pytest.raises(ValueError, match="without scheme and port"):
        Permit(FetchOptions(allow=(entry,)))
