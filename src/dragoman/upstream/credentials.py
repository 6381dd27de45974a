"""Which of a provider's credentials to use next, and which to leave alone for a while.

A credential that a provider refuses (401, 402, a spent quota) is parked:
five minutes, then ten, up to an hour. One that is rate limited at an endpoint, or
may not use it (403), cools down there. A resting credential is used again before
nothing is used at all.
"""

from collections.abc import Iterable

from msgspec import Struct

from dragoman.catalog.hosts import Credential

PARK_S, PARK_MOST_S = 300.0, 3600.0


class Resting(Struct, frozen=True, kw_only=True):
    """A parked credential: whose, where it came from, for how many more seconds."""

    provider: str
    source: str
    for_s: float


class Wallet:
    """All credentials, by provider, with what was learnt of them."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        self._by_provider: dict[str, list[Credential]] = {}
        for credential in credentials:
            self._by_provider.setdefault(credential.provider, []).append(credential)
        self._parked_until: dict[str, float] = {}
        self._refusals: dict[str, int] = {}
        self._cool_until: dict[tuple[str, str], float] = {}

    def usable(self, provider: str, endpoint: str, now: float) -> list[Credential]:
        """Return the provider's credentials for an endpoint, those at rest last.

        Empty for a provider that needs none.
        """
        mine = self._by_provider.get(provider, [])
        if len(mine) < 2 or not (self._parked_until or self._cool_until):
            return mine
        return sorted(mine, key=lambda c: self.rests_s(c, endpoint, now))

    def rests_s(self, credential: Credential, endpoint: str, now: float) -> float:
        """Return for how many seconds a credential is to be left alone at an endpoint."""
        return max(0.0, self._rests_until(credential, endpoint) - now)

    def refused(self, credential: Credential, now: float) -> float:
        """Park a credential that its provider refuses; return for how many seconds.

        It is parked for longer each time it came back: requests that are refused together, or
        that had nobody else to ask meanwhile, do not make it so.
        """
        left_s = self._parked_until.get(credential.id, 0.0) - now
        if left_s > 0:
            return left_s
        count = self._refusals[credential.id] = self._refusals.get(credential.id, 0) + 1
        wait_s = min(PARK_MOST_S, PARK_S * count)
        self._parked_until[credential.id] = now + wait_s
        return wait_s

    def limited(self, credential: Credential, endpoint: str, now: float, wait_s: float) -> None:
        """Let a credential cool down at one endpoint: for as long as any refusal there asked."""
        here = credential.id, endpoint
        self._cool_until[here] = max(self._cool_until.get(here, 0.0), now + wait_s)

    def worked(self, credential: Credential) -> bool:
        """Forget what was held against a credential that works; say whether it had been refused."""
        if not self._refusals or self._refusals.pop(credential.id, None) is None:
            return False
        self._parked_until.pop(credential.id, None)
        return True

    def all_rest_s(self, provider: str, endpoint: str, now: float) -> float | None:
        """Return for how many seconds all credentials of the provider rest at this endpoint.

        0 where one does not; None for a provider that needs none.
        """
        mine = self._by_provider.get(provider, [])
        return min((self.rests_s(each, endpoint, now) for each in mine), default=None)

    def parked(self, now: float) -> tuple[Resting, ...]:
        """Return the parked credentials, for people."""
        return tuple(
            Resting(provider=provider, source=c.source, for_s=self._parked_until[c.id] - now)
            for provider, mine in self._by_provider.items()
            for c in mine
            if self._parked_until.get(c.id, 0.0) > now
        )

    def _rests_until(self, credential: Credential, endpoint: str) -> float:
        parked = self._parked_until.get(credential.id, 0.0)
        return max(parked, self._cool_until.get((credential.id, endpoint), 0.0))
