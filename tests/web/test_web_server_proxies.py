"""Whom a proxy speaks for, and which proxy is believed."""

import pytest

from dragoman.web.server.proxies import Proxies


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        ("10.0.0.8,10.0.0.9", "10.0.0.8"),
        ("6.6.6.6, nonsense, 10.0.0.9", "10.0.0.9"),
        ("nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("6.6.6.6:80, 203.0.113.7:51234", "203.0.113.7"),
        ("6.6.6.6, [2001:db8::7]:443, 10.0.0.9:80", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[::ffff:10.0.0.8]:1, 10.0.0.9", "10.0.0.8"),
        ("2001:db8::7", "2001:db8::7"),
        ("203.0.113.7:port", "10.0.0.1"),
        ("[203.0.113.7", "10.0.0.1"),
    ],
)
def test_a_proxy_is_believed_as_far_as_the_next_one_is_ours(forwarded: str, client: str) -> None:
    proxies = Proxies(["10.0.0.0/8"])
    assert proxies.trusts("10.0.0.1")
    assert proxies.trusts("::ffff:10.0.0.1")
    assert proxies.client(forwarded, "10.0.0.1") == client


@pytest.mark.parametrize("address", ["10.0.0.1", "::1", "", "nonsense"])
def test_nobody_is_trusted_unless_listed(address: str) -> None:
    assert not Proxies([]).trusts(address)
    assert not Proxies(["192.0.2.0/24"]).trusts(address)
