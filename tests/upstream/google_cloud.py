"""Google's credentials for tests, and a token server on the loopback that exchanges them."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dragoman.catalog.hosts import Credential
from dragoman.core.secret import Secret


@cache
def rsa() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    made = rsa().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.decode()


def service_account(**changes: Any) -> dict[str, Any]:
    """Return what Google's console saves for a service account, the key our own."""
    return {
        "type": "service_account",
        "project_id": "their-project",
        "private_key_id": "kid-1",
        "private_key": pem(),
        "client_email": "robot@their-project.iam.gserviceaccount.com",
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "http://169.254.169.254/steal",
        "universe_domain": "googleapis.com",
        **changes,
    }


USER = {
    "type": "authorized_user",
    "client_id": "id.apps.googleusercontent.com",
    "client_secret": "d-FL95Q19q7MQmFpd7hHD0Ty",
    "refresh_token": "1//0refresh",
    "quota_project_id": "paying-project",
}


def credential(secret: object, id_: str = "google-vertex:1") -> Credential:
    text = secret if isinstance(secret, str) else json.dumps(secret)
    return Credential(id=id_, provider="google-vertex", secret=Secret(text), source="a test")


def claims(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT. Raises unless our key signed it with RS256."""
    text, _, signature = assertion.rpartition(".")
    rsa().public_key().verify(_decoded(signature), text.encode(), PKCS1v15(), SHA256())
    header, body = (json.loads(_decoded(part)) for part in text.split("."))
    return header, body


def _decoded(text: str) -> bytes:
    assert "=" not in text
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenServer:
    """Answers as oauth2.googleapis.com and the metadata server do. `forms` are what came."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.heads: list[bytes] = []
        self.status = 200
        self.body: dict[str, Any] | bytes = {}
        self.came = asyncio.Event()
        self.wait = asyncio.Event()
        self.wait.set()
        self.url = ""
        self.host = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                form = parse_qs((await reader.readexactly(length)).decode())
                self.heads.append(head)
                self.came.set()
                self.forms.append({name: values[0] for name, values in form.items()})
                await self.wait.wait()
                number = len(self.heads)
                token = {"access_token": f"ya29.token-{number}", "expires_in": 3599}
                body = self.body or {**token, "token_type": "Bearer"}
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    % (self.status, len(data))
                    + data
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """Run a token server on the loopback."""
    server = TokenServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.host = f"127.0.0.1:{port}"
    server.url = f"http://{server.host}/token"
    try:
        yield server
    finally:
        listening.close()
