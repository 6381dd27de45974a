"""The checks of `dragoman doctor` that use the network: providers, and the gateway itself.

Each provider is asked for its list of models, with its credential: that shows name
resolution, TLS and the credential in one call, and costs nothing.
"""

import asyncio
import socket
from collections.abc import Callable

import msgspec
from msgspec import Struct

from dragoman.catalog.discover import discovered
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Credential
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import Provider
from dragoman.cli.catalog import Shelf
from dragoman.cli.checks import Check
from dragoman.cli.exits import reason
from dragoman.cli.gateway import get, outward
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.office.discovery import fetch_models
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing.google import GoogleSigner
from dragoman.web.options import ServerOptions

PATIENCE_S = 5.0
GATEWAY_LIMITS = Limits(head_s=PATIENCE_S, idle_s=PATIENCE_S)
FIXES = {
    "dns": "Check the name in base_url, and the resolver of this machine.",
    "refused": "Start the host, or correct the port in base_url.",
    "proxy": "Check net.proxy, or HTTPS_PROXY and its credential.",
    "tls": "Check the certificate; a private authority goes into upstream.ca_file.",
    "protocol": "Check the credential ({}) and base_url.",
}
BY_SIGNER = frozenset({"sigv4", "entra"})
"""Ways to let in for which this command has nobody who signs."""
SLOW = "Check the network, a firewall, and that base_url is right."


class Ready(Struct, frozen=True):
    """The body of `/readyz`."""

    status: str = ""
    problems: tuple[str, ...] = ()


async def providers(chosen: Settings, shelf: Shelf, told: Callable[[Check], None]) -> list[Check]:
    """Ask every configured provider at once; `told` hears of each as it answers."""

    async def one(credential: Credential, transport: Transport) -> Check:
        check = await _provider(chosen, shelf, credential, transport)
        told(check)
        return check

    async with outward(chosen) as client:
        return list(await asyncio.gather(*(one(each, client) for each in asked(shelf))))


def asked(shelf: Shelf) -> list[Credential]:
    """Return the credentials to try: all of those that lead to a real provider."""
    return [each for each in shelf.hosts.credentials if each.provider in shelf.hosts.configured]


async def _provider(
    chosen: Settings, shelf: Shelf, credential: Credential, transport: Transport
) -> Check:
    provider = shelf.hosts.providers[credential.provider]
    options = chosen.options.providers.get(provider.slug, ProviderOptions())
    name = f"provider {credential.id}"
    if provider.auth == "gcp":
        return await _google(chosen, provider, credential, transport)
    if provider.auth in BY_SIGNER:
        detail = f"{provider.base_url} lets in by what is derived from the credential: not asked"
        return Check(name=name, state="note", detail=detail)
    try:
        async with asyncio.timeout(PATIENCE_S):
            body = await fetch_models(transport, provider, credential)
        listed = len(discovered(provider, options, body))
    except TimeoutError:
        detail = f"{provider.base_url} did not answer within {PATIENCE_S:g} s"
        return Check(name=name, state="broken", detail=detail, fix=SLOW)
    except NetError as error:
        detail = f"{provider.base_url}: {error}"
        fix = FIXES.get(error.phase, SLOW).format(credential.source)
        return Check(name=name, state="broken", detail=detail, fix=fix)
    except CatalogError as error:
        fix = f"Write its models down under providers.{provider.slug}.models."
        return Check(name=name, state="note", detail=str(error), fix=fix)
    return Check(name=name, state="ok", detail=f"{provider.base_url} lists {listed} models")


async def _google(
    chosen: Settings, provider: Provider, credential: Credential, transport: Transport
) -> Check:
    """Tell whether the credential is exchanged for a token. Vertex AI lists no models."""
    name = f"provider {credential.id}"
    signer = GoogleSigner(transport, Clock(), chosen.environ)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await signer.signed(Request(method="GET", url=provider.base_url), credential)
    except TimeoutError:
        detail = f"no access token came within {PATIENCE_S:g} s"
        return Check(name=name, state="broken", detail=detail, fix=SLOW)
    except AttemptFailed as failed:
        fix = "Give another in GOOGLE_VERTEX_CREDENTIALS, or see docs/configuration.md, Vertex AI."
        return Check(name=name, state="broken", detail=failed.fault.message, fix=fix)
    return Check(name=name, state="ok", detail=f"{provider.base_url}: an access token is given")


async def gateway(chosen: Settings) -> Check:
    """Tell whether a gateway runs at the configured address, and else whether one could."""
    server = chosen.options.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    return await (_secured(server, host) if server.certfile else _plain(server, host))


async def _plain(server: ServerOptions, host: str) -> Check:
    url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    try:
        status, _ = await get(f"{url}/healthz", GATEWAY_LIMITS)
        _, body = await get(f"{url}/readyz", GATEWAY_LIMITS)
        ready = msgspec.json.decode(body, type=Ready)
    except NetError as error:
        if error.phase == "refused":
            return _bindable(server.host, server.port)
        return _stranger(url, str(error))
    except msgspec.DecodeError:
        return _stranger(url, "no gateway's answer")
    if status != 200:
        return _stranger(url, f"/healthz answered {status}")
    if ready.problems:
        how = "and is ready, with problems" if ready.status == "degraded" else "but is not ready"
        detail = f"{url} runs, {how}: {' '.join(ready.problems)}"
        return Check(name="gateway", state="note", detail=detail)
    return Check(name="gateway", state="ok", detail=f"{url} runs and is ready")


async def _secured(server: ServerOptions, host: str) -> Check:
    """Tell whether anybody listens. Who it is, a certificate for another name does not say."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection(host, server.port)
    except (OSError, TimeoutError):
        return _bindable(server.host, server.port)
    writer.close()
    return Check(name="gateway", state="ok", detail=f"{host}:{server.port} listens, for TLS")


def _stranger(url: str, what: str) -> Check:
    return Check(
        name="gateway",
        state="broken",
        detail=f"another program listens at {url} ({what})",
        fix="Stop it, or choose another port with --port or server.port.",
    )


def _bindable(host: str, port: int) -> Check:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        detail = f"{host}:{port} cannot be listened on: {reason(error)}"
        fix = "Choose another with --host, --port or the section server."
        return Check(name="gateway", state="broken", detail=detail, fix=fix)
    detail = (
        f"none runs at {host}:{port}, which is free. Start one: dragoman serve. "
        "One with another --port is found by DRAGOMAN__SERVER__PORT"
    )
    return Check(name="gateway", state="ok", detail=detail)
