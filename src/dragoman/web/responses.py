"""The answers of the control plane: JSON that is nobody else's, and lists that may be kept.

Errors are rendered in `errors`, answers of inference go out by `outlet`.
"""

from hashlib import blake2b
from typing import Any

import msgspec
from fastapi import Request, Response
from msgspec import Struct

from dragoman.web.outlet import CORS

JSON = "application/json"

_encode = msgspec.json.Encoder().encode


def json_response(body: Any, status: int = 200) -> Response:
    """Return an answer that nobody may keep."""
    return raw_json_response(_encode(body), status)


def raw_json_response(body: bytes, status: int = 200) -> Response:
    """Return what is JSON already, which nobody may keep."""
    response = Response(body, status, media_type=JSON)
    response.headers["cache-control"] = "private, no-store"
    allow_origins(response)
    return response


class Page(Struct, frozen=True):
    """A body that clients may keep, and the tag by which they know it."""

    body: bytes
    tag: str
    media_type: str


def page(body: bytes, media_type: str = JSON) -> Page:
    """Return a body with its tag, which is a digest: the same body has the same one anywhere."""
    return Page(body, f'"{blake2b(body, digest_size=16).hexdigest()}"', media_type)


def json_page(value: Any) -> Page:
    """Return a value as JSON, with its tag."""
    return page(_encode(value))


def kept_response(request: Request, page: Page) -> Response:
    """Return an answer that a client may keep, and ask whether it is still good.

    `If-None-Match` with the tag of the answer is answered by 304, HEAD by the headers
    alone (RFC 9110, 9.3.2 and 13.1.2).
    """
    headers = {"etag": page.tag, "cache-control": "no-cache"}
    if _holds(request.headers.get("if-none-match", ""), page.tag):
        response = Response(status_code=304, headers=headers)
    elif request.method == "HEAD":
        headers["content-length"] = str(len(page.body))
        response = Response(headers=headers, media_type=page.media_type)
    else:
        response = Response(page.body, headers=headers, media_type=page.media_type)
    allow_origins(response)
    return response


def kept_json(request: Request, value: Any) -> Response:
    """Return a value as JSON that a client may keep."""
    return kept_response(request, json_page(value))


def allow_origins(response: Response) -> None:
    """Let pages of any origin read the answer."""
    response.raw_headers.extend(CORS)


def _holds(condition: str, tag: str) -> bool:
    """Say whether an `If-None-Match` names the tag, weakly compared."""
    tags = {each.strip().removeprefix("W/") for each in condition.split(",")}
    return tag in tags or "*" in tags
