"""Which addresses are public, and which spellings are addresses at all."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.net.addresses import address_of, is_public, literal

INNER = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "127.0.0.1", "127.1.2.3", "168.63.129.16", "169.254.169.254",
    "169.254.170.2", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::10.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:169.254.169.254", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1",
    "ff02::1", "ff0e::1", "2606:4700::1111%eth0",
]  # fmt: skip

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1",
    "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.1", "172.15.255.255",
    "172.32.0.1", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1",
    "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888",
    "2003::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1))
def test_no_address_of_version_6_that_carries_one_of_version_4_is_public(number: int) -> None:
    low = f"{number >> 16:x}:{number & 0xFFFF:x}"
    for text in (
        f"::{low}",
        f"::ffff:{low}",
        f"::ffff:0:{low}",
        f"64:ff9b::{low}",
        f"2002:{low}::",
    ):
        assert not is_public(ip_address(text)), text


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_inner(address: object) -> None:
    found = ip_address(str(address))
    assert found.is_global or not is_public(found)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "0X7F.1", "127.1", "127.0.1", "0177.0.0.1", "1.2.3.4.",
     "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "a.0x10", "a.1", "1.2.3.08"],
)  # fmt: skip
def test_a_number_in_disguise_is_no_host(host: str) -> None:
    with pytest.raises(ValueError, match="in full, in decimal"):
        literal(host)


@pytest.mark.parametrize("host", ["a", "a.test", "1a", "127.0.0.1.nip.io", "xn--bcher-kva.example"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["1.2.3.4", "::1", "2606:4700::1111"])
def test_an_address_is_read(host: str) -> None:
    assert literal(host) == ip_address(host)
    assert address_of(host) == ip_address(host)


def test_what_a_resolver_makes_up_is_no_address() -> None:
    assert address_of("not an address") is None
