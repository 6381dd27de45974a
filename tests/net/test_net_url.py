"""What counts as a URL, and what it is taken apart into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.net.url import Location, Origin, locate


@pytest.mark.parametrize(
    ("url", "origin", "authority", "target"),
    [
        ("http://a", Origin("http", "a", 80), "a", "/"),
        ("https://a.b/v1", Origin("https", "a.b", 443), "a.b", "/v1"),
        ("HTTPS://A.b:443/V1", Origin("https", "a.b", 443), "a.b", "/V1"),
        ("http://a:443/", Origin("http", "a", 443), "a:443", "/"),
        ("http://a?x=1&y=%20", Origin("http", "a", 80), "a", "/?x=1&y=%20"),
        ("http://127.0.0.1:9100/v1", Origin("http", "127.0.0.1", 9100), "127.0.0.1:9100", "/v1"),
        ("http://[::1]/", Origin("http", "::1", 80), "[::1]", "/"),
        ("http://[0:0::0:1]:8080/", Origin("http", "::1", 8080), "[::1]:8080", "/"),
        ("http://my_host-1/@a:b", Origin("http", "my_host-1", 80), "my_host-1", "/@a:b"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: Origin, authority: str, target: str) -> None:
    assert locate(url) == Location(origin, authority, target)


@pytest.mark.parametrize(
    "url",
    [
        "", "a", "/v1", "//a/v1", "ftp://a/", "http:/a", "http://", "http:///v1", "http://:80/",
        "http://user@a/", "http://user:secret@a/", "http://a\\@b/", "http://a/\\b", "http://a/#top",
        "http://a b/", "http://a/b c", "http://a/\r\nX: y", "http://a/\n", "http://a/\t",
        "http://ä/", "http://a/ä", "http://a%41/", "http://a:/", "http://a:0/", "http://a:65536/",
        "http://a:+1/", "http://a:123456/", "http://[::1", "http://[::g]/", "http://[1.2.3.4]/",
        "http://[::1%25eth0]/", " http://a/", "http://a/ ",
    ],
)  # fmt: skip
def test_what_two_readers_could_read_differently_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|port"):
        locate(url)


def test_a_refusal_does_not_repeat_the_url_because_it_may_hold_a_credential() -> None:
    with pytest.raises(ValueError, match="URL") as refusal:
        locate("https://user:hunter2@host/")
    assert "hunter2" not in str(refusal.value)


@given(st.text())
def test_a_url_gives_printable_ascii_without_spaces_or_nothing(rest: str) -> None:
    try:
        location = locate(f"http://host/{rest}")
    except ValueError:
        return
    assert location.origin.host == "host"
    assert all("!" <= character <= "~" for character in location.target)
