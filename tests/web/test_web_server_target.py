"""What the target of a request's first line means, and what could mean two things."""

import pytest

from dragoman.core.errors import Unreadable
from dragoman.web.server.target import LONGEST, Target, read_target


@pytest.mark.parametrize(
    ("raw", "method", "target"),
    [
        (b"/a", "GET", Target("/a", b"/a")),
        (b"/", "OPTIONS", Target("/", b"/")),
        (b"*", "OPTIONS", Target("*", b"*")),
        (b"/a?b=%00//..&c=%zz?", "GET", Target("/a", b"/a", b"b=%00//..&c=%zz?")),
        (b"http://x/a?b", "GET", Target("/a", b"/a", b"b", b"x")),
        (b"HTTPS://x:80", "GET", Target("/", b"/", b"", b"x:80")),
        (b"http://x?b", "GET", Target("/", b"/", b"b", b"x")),
        (b"/%e2%82%AC", "GET", Target("/\u20ac", b"/%e2%82%AC")),
        (b"/models/a%2Fb", "GET", Target("/models/a/b", b"/models/a%2Fb")),
        (b"/api/v1/model/a%2fb", "GET", Target("/api/v1/model/a/b", b"/api/v1/model/a%2fb")),
        (b"/a.b/..c", "GET", Target("/a.b/..c", b"/a.b/..c")),
    ],
)
def test_a_target_is_a_path_and_perhaps_more(raw: bytes, method: str, target: Target) -> None:
    assert read_target(raw, method) == target


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"*", b"*a", b"a", b"x://a", b"/a b", b"/\xc3\xa9", b"/a\x7f", b"/a#b", b"/a?b#",
        b"/a\\b", b"/a?b\\", b"/%", b"/%2", b"/%zz", b"/%00", b"/%1f", b"/%7F", b"/%C2%9f", b"/%5c",
        b"/%ff", b"/%2541", b"/a%2Fb", b"/models%2Fa", b"/a%2f/models/b%2fc", b"//", b"//a",
        b"/a//b", b"http://x//", b"/.", b"/..", b"/a/./b", b"/a/..", b"/%2e%2E/a",
        b"/models/a%2f%2fb", b"/models/a%2f..%2fb",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_target_that_could_be_read_in_two_ways_is_refused(raw: bytes, method: str) -> None:
    if (raw, method) != (b"*", "OPTIONS"):
        with pytest.raises(Unreadable) as refused:
            read_target(raw, method)
        assert refused.value.code == 400


def test_a_target_has_8192_bytes_at_most() -> None:
    longest = b"/" + b"a" * (LONGEST - 1)
    assert read_target(longest, "GET").raw_path == longest
    with pytest.raises(Unreadable) as refused:
        read_target(longest + b"a", "GET")
    assert refused.value.code == 414
