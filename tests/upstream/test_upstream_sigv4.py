"""Signatures, against those of AWS's published test suite and of botocore."""

import calendar
import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.upstream.signing.sigv4 import Keys, Scope, sign

GOLDEN = json.loads((Path(__file__).parent / "golden" / "sigv4.json").read_text())
NOW = calendar.timegm((2015, 8, 30, 12, 36, 0))
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "https://example.amazonaws.com"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
STS = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="  # noqa: E501


def signature(method: str, path: str, *headers: tuple[str, str], **more: Any) -> str:
    keys = Keys(id="AKIDEXAMPLE", secret=SECRET, token=more.get("token", ""))
    scope = Scope("us-east-1", "service", NOW)
    made = dict(sign(method, HOST + path, headers, more.get("body", b""), keys, scope))
    assert made["X-Amz-Date"] == "20150830T123600Z"
    return made["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/\u1234", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_the_published_suite(method: str, path: str, expected: str) -> None:
    assert signature(method, path) == expected


def test_the_published_suite_with_values_to_be_trimmed() -> None:
    headers = (("My-Header1", " value1"), ("My-Header2", ' "a   b   c"'))
    expected = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"
    assert signature("GET", "/", *headers) == expected


def test_the_published_suite_with_a_body() -> None:
    expected = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    assert signature("POST", "/", *FORM, body=b"Param1=value1") == expected


def test_the_published_suite_with_a_token() -> None:
    expected = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    assert signature("POST", "/", token=STS) == expected


@pytest.mark.parametrize("place", range(len(GOLDEN["vectors"])))
def test_what_botocore_signs(place: int) -> None:
    vector = GOLDEN["vectors"][place]
    keys = Keys(id=GOLDEN["id"], secret=GOLDEN["secret"], token=vector["token"])
    headers = tuple((name, value) for name, value in vector["headers"])
    scope = Scope(vector["region"], "bedrock", GOLDEN["now"])
    made = dict(sign("POST", vector["url"], headers, vector["body"].encode(), keys, scope))
    assert made == vector["headers_signed"]


def test_keys_do_not_show_their_secret() -> None:
    assert SECRET not in repr(Keys(id="AKIDEXAMPLE", secret=SECRET, token="t"))


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("https://h.test:443/x", "https://h.test/x"),
        ("http://H.test:80/x", "http://h.test/x"),
    ],
)
def test_a_host_is_signed_as_the_client_names_it(written: str, named: str) -> None:
    keys, scope = Keys(id="AKIDEXAMPLE", secret=SECRET), Scope("us-east-1", "service", NOW)
    assert sign("GET", written, (), b"", keys, scope) == sign("GET", named, (), b"", keys, scope)
    other = sign("GET", "https://h.test:8443/x", (), b"", keys, scope)
    assert other != sign("GET", "https://h.test/x", (), b"", keys, scope)
