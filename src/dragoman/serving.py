"""The data plane, put together: what serves inference, in a process of its own or in the only one.

Whoever composes a process says where keys are looked up, where generations go and who
counts requests; the rest is the same everywhere. Knows no database and no framework.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from random import Random

from msgspec import Struct

from dragoman.access.gate import Gate
from dragoman.access.limiter import Limiter
from dragoman.access.opener import Opener
from dragoman.access.permits import FreeRequests, Permits
from dragoman.access.types import Keeper
from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Catalog
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.ledger.cashier import Cashier
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.proxy import proxies
from dragoman.providers.registry import DIALECTS
from dragoman.records.content import Contents
from dragoman.relay.books import Books
from dragoman.relay.linger import Lingers
from dragoman.relay.rounds import Rounds
from dragoman.relay.tokens import TokenCounter
from dragoman.relay.visit import Desk
from dragoman.routing.pools import Pools
from dragoman.shaping.targets import Meanings
from dragoman.store.custody import Pepper
from dragoman.store.turns import Pace
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.demo import DemoTransport
from dragoman.upstream.failover import Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.signing.aws import AwsSigner
from dragoman.upstream.signing.entra import EntraSigner
from dragoman.upstream.signing.google import GoogleSigner
from dragoman.web.counting import Counting, by_ranks
from dragoman.web.edge import Routes
from dragoman.web.inference import Inference
from dragoman.web.outlet import Pulse
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.completions import COMPLETIONS
from dragoman.wire.cursor import CURSOR
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.rerank import RERANK
from dragoman.wire.responses.dialect import RESPONSES

RESTART_S = 1.0

Loop = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


class Means(Struct, frozen=True, kw_only=True):
    """What the data plane is given, which differs from process to process."""

    catalog: Callable[[], Catalog]
    credentials: Iterable[Credential]
    keeper: Keeper
    pepper: Pepper
    vault: Opener
    books: Books
    cashier: Cashier
    limiter: Limiter
    health: HealthBoard
    contents: Contents
    clock: Clock


class Serving(Struct, frozen=True, kw_only=True):
    """The data plane. Its owner runs the loops, and closes the client at the end."""

    routes: Routes
    gate: Gate
    client: HttpClient
    health: HealthBoard
    pulse: Pulse
    rounds: Rounds
    clock: Clock
    free: FreeRequests | None
    tokens: TokenCounter

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What has to run beside the requests."""
        return (
            self.gate.watch,
            self.rounds.run,
            self.client.run,
            self.pulse.run,
            self.tokens.run,
            self._keep_health,
        )

    async def _keep_health(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            pace = Pace()
            for _ in self.health.refreshing(self.clock.monotonic()):
                await pace.keep()


def serving(settings: Settings, means: Means) -> Serving:
    """Return the data plane."""
    options, clock = settings.options, means.clock
    client = _client(settings, clock)
    rng = Random()  # noqa: S311 - a lottery between providers, not a secret
    access = options.access
    free = access.free_models
    counted = None if free is None else FreeRequests(means.limiter, clock, free)
    gate = Gate(means.keeper, means.pepper, clock, access, means.vault)
    upstream = _upstream(settings, means, client, rng)
    rounds = Rounds()
    desk = Desk(
        catalog=means.catalog,
        upstream=upstream,
        books=means.books,
        cashier=means.cashier,
        rounds=rounds,
        lingers=Lingers(options.upstream),
        clock=clock,
        rng=rng,
        pools=Pools(),
        meanings=Meanings(),
        byok=options.byok,
        ledger=options.ledger,
        free=counted,
        contents=means.contents,
    )
    pulse = Pulse(clock, options.server)
    permits = Permits(means.limiter, clock, access.address_limits)
    work = Inference(desk=desk, gate=gate, pulse=pulse, options=options.server, permits=permits)
    tokens = TokenCounter(clock)
    return Serving(
        routes=_routes(work, Counting(gate, options.server, by_ranks(tokens))),
        gate=gate,
        client=client,
        health=means.health,
        pulse=pulse,
        rounds=rounds,
        clock=clock,
        free=counted,
        tokens=tokens,
    )


def _upstream(settings: Settings, means: Means, client: HttpClient, rng: Random) -> Upstream:
    clock, environ = means.clock, settings.environ
    return Upstream(
        transports={"http": client, "https": client, "demo": DemoTransport()},
        dialects=DIALECTS,
        wallet=Wallet(means.credentials),
        health=means.health,
        options=settings.options.upstream,
        clock=clock,
        rng=rng,
        signers={
            "sigv4": AwsSigner(clock, environ),
            "entra": EntraSigner(client, clock, environ),
            "gcp": GoogleSigner(client, clock, environ),
        },
    )


def _routes(work: Inference, counting: Counting) -> Routes:
    return {
        "/v1/chat/completions": {"POST": work.chat},
        "/v1/messages": {"POST": work.speaking(MESSAGES)},
        "/v1/messages/count_tokens": {"POST": counting.serve},
        "/v1/responses": {"POST": work.speaking(RESPONSES)},
        "/v1/completions": {"POST": work.speaking(COMPLETIONS)},
        "/v1/embeddings": {"POST": work.speaking(EMBEDDINGS)},
        "/v1/rerank": {"POST": work.speaking(RERANK)},
        "/v1/cursor/chat/completions": {"POST": work.speaking(CURSOR)},
    }


def _client(settings: Settings, clock: Clock) -> HttpClient:
    net, upstream = settings.options.net, settings.options.upstream
    return HttpClient(
        clock,
        ca_file=upstream.ca_file,
        pool=PoolOptions(
            per_host=upstream.connections_per_host,
            total=net.connections,
            keepalive_s=net.keepalive_s,
        ),
        proxies=proxies(net, settings.environ),
    )


def problems(catalog: Catalog) -> list[str]:
    """Return why nothing can be served, in words for an operator; empty when all is well."""
    callable_ = any(
        endpoint.configured and endpoint.status == "active"
        for model in catalog.models.values()
        for endpoint in model.endpoints
    )
    if callable_:
        return []
    return ["No provider is configured. Set a key such as OPENAI_API_KEY, or run `dragoman init`."]


async def kept_up(work: Loop) -> None:
    """Do work of the background, anew when it breaks.

    A defect in one loop must neither end the others nor leave the process without it:
    without the watch over keys, say, a revoked key would stay good.
    """
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever it was, doing nothing from now on is worse
            _log.exception("background.failed")
            await asyncio.sleep(RESTART_S)
        else:
            return
