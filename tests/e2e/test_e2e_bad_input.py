"""What bad input gets: a 4xx that names what is wrong. Never a 500, a hang or silence."""

import json
import socket
from typing import Any

import pytest

from tests.e2e.conftest import model_id
from tests.e2e.gateway import Gateway

GOOD = model_id("good")
HI = [{"role": "user", "content": "hi"}]
PATH = "/api/v1/chat/completions"


@pytest.mark.parametrize(
    ("change", "status", "names"),
    [
        ({"model": "test/goood"}, 400, "test/goood is not a valid model ID"),
        ({"model": ""}, 400, "model"),
        ({"model": "x" * 10_000}, 400, "model"),
        ({"model": "../../etc/passwd"}, 400, "not a valid model ID"),
        ({"model": GOOD + ":weird"}, 400, "not a valid model ID"),
        ({"model": 5}, 400, "model"),
        ({"model": None}, 400, "model"),
        ({"models": [GOOD] * 4}, 400, "3 items or fewer"),
        ({"messages": []}, 400, "messages"),
        ({"messages": None}, 400, "messages"),
        ({"messages": [{"role": "god", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "tool_call_id"),
        ({"temperature": 3}, 400, "temperature"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"temperature": True}, 400, "temperature"),
        ({"top_p": 2}, 400, "top_p"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 10**12}, 400, "max_tokens"),
        ({"n": 0}, 400, "n:"),
        ({"stop": ["a"] * 5}, 400, "stop"),
        ({"top_logprobs": 3}, 400, "logprobs"),
        ({"stream": "yes"}, 400, "stream"),
        ({"api_base": "http://evil.example"}, 400, "api_base"),
        ({"base_url": "http://evil.example"}, 400, "base_url"),
        ({"provider": {"order": ["acne"]}}, 400, "acne"),
        ({"provider": {"only": ["bad", "nobody"]}}, 400, "nobody"),
        ({"provider": {"max_price": {"prompt": -1}}}, 400, "max_price"),
        ({"provider": {"sort": "fame"}}, 400, "sort"),
        ({"provider": {"max_price": {"prompt": 0.01}}}, 404, "price"),
        ({"provider": {"only": ["bad"], "ignore": ["bad"]}}, 404, "provider"),
        ({"provider": {"zdr": True}}, 404, "retention"),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, 400, "reasoning"),
        ({"response_format": {"type": "poem"}}, 400, "response_format"),
        ({"tools": [{"type": "function"}]}, 400, "tools.0"),
        ({"user": "a\r\nSet-Cookie: x"}, 400, "user"),
        ({"messages": [{"role": "user", "content": "x" * 1_000_000}]}, 400, "context"),
    ],
)
def test_a_bad_value_is_named(
    gateway: Gateway, change: dict[str, Any], status: int, names: str
) -> None:
    reply = gateway.post(PATH, {"model": GOOD, "messages": HI} | change)
    assert reply.status == status, reply.body[:500]
    error = reply.json()["error"]
    assert error["code"] == status
    assert names in error["message"]
    assert error["metadata"]["error_type"]
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"model":"a"} trailing', 400),
        (b"\xef\xbb\xbf{}", 400),
        ('{"model":"a"}'.encode("utf-16"), 400),
        (b'{"model":"\xff"}', 400),
        (b'{"model":NaN}', 400),
        (b'{"temperature":1e999,"model":"test/good","messages":[]}', 400),
        (b'{"max_tokens":' + b"9" * 5000 + b',"model":"test/good","messages":[]}', 400),
        (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"messages":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", 400),
        (b'{"messages":[' + b"[]," * 3_000_000 + b"[]]}", 400),
        (b'{"model":"cheap","model":"dear","messages":[]}', 400),
        (b'{"mod\\u0065l":"cheap","model":"dear","messages":[]}', 400),
        (b'{"model":"\\ud800","messages":[]}', 400),
    ],
    ids=range(18),
)
def test_a_body_that_cannot_be_read_is_refused(gateway: Gateway, body: bytes, status: int) -> None:
    reply = gateway.post(PATH, body)
    assert reply.status == status, reply.body[:300]
    assert reply.json()["error"]["message"]


def test_a_null_byte_in_what_is_stored_is_refused_and_elsewhere_passed(gateway: Gateway) -> None:
    stored = gateway.chat(model=GOOD, user="a\x00b")
    assert stored.status == 400
    passed = gateway.chat(model=GOOD, messages=[{"role": "user", "content": "a\x00b"}])
    assert passed.status == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
            b"Content-Length: 68000000\r\n\r\n" % gateway.key.encode()
        )
        assert b"413" in connection.recv(200)


def test_a_compressed_body_is_refused(gateway: Gateway) -> None:
    assert gateway.post(PATH, b"x", {"Content-Encoding": "gzip"}).status == 415


def test_a_body_is_json_whatever_its_content_type_says(gateway: Gateway) -> None:
    body = {"model": GOOD, "messages": HI}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert gateway.post(PATH, body, form).status == 200


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Authorization": ""}, 401, "Missing Authentication header"),
        ({"Authorization": "Basic abc"}, 401, ""),
        ({"Authorization": "Bearer "}, 401, ""),
        ({"Authorization": "Bearer sk-dm-v1-nonsense"}, 401, ""),
        ({"Authorization": "Bearer sk-ant-api03-abcdefgh"}, 401, "Anthropic"),
        ({"Authorization": "", "x-api-key": "nonsense"}, 401, ""),
    ],
)
def test_a_bad_key_is_401(
    gateway: Gateway, headers: dict[str, str], status: int, message: str
) -> None:
    reply = gateway.post(PATH, {"model": GOOD, "messages": HI}, headers)
    assert reply.status == status
    assert message in reply.json()["error"]["message"]
    assert reply.json()["error"]["metadata"]["error_type"] == "authentication"


def test_the_key_may_come_as_x_api_key(gateway: Gateway) -> None:
    headers = {"Authorization": "", "x-api-key": gateway.key}
    assert gateway.post(PATH, {"model": GOOD, "messages": HI}, headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/chat/completions", 405),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/api/v1/models", 405),
        ("GET", "/api/v1/model/no/such", 404),
        ("GET", "/api/v1/models/no/such/endpoints", 404),
        ("GET", "/api/v1/generation", 400),
        ("GET", "/api/v1/generation?id=gen-1-none", 404),
        ("GET", "/api/v1/models?limit=many", 400),
    ],
)
def test_a_wrong_path_or_method_is_answered_in_json(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    reply = gateway.get(path) if method == "GET" else gateway.post(path, {})
    assert reply.status == status
    assert reply.json()["error"]["code"] == status


def test_browsers_may_call_from_anywhere(gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            b"OPTIONS /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nOrigin: http://a.b\r\n"
            b"Access-Control-Request-Method: POST\r\n\r\n"
        )
        head = connection.recv(2000).lower()
    assert head.startswith(b"http/1.1 204")
    assert b"access-control-allow-origin: *" in head
    assert b"http-referer" in head


def test_a_404_says_for_every_endpoint_why_it_was_left_out(gateway: Gateway) -> None:
    reply = gateway.chat(model=GOOD, provider={"max_price": {"prompt": 0.01}, "ignore": ["good"]})
    error = reply.json()["error"]
    reasons = {row["provider"]: row["reason"] for row in error["metadata"]["endpoints"]}
    assert reasons == {"bad": "over_max_price", "good": "ignored"}
    assert error["availability"]["requested_models"] == [GOOD]


def test_no_key_ever_reaches_the_log(gateway: Gateway) -> None:
    gateway.chat(model=model_id("status-401"), provider={"only": ["bad"]})
    assert gateway.key not in gateway.log
    assert "secret" not in gateway.log
    assert json.dumps(HI) not in gateway.log
