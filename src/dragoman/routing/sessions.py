"""Chances that are the same for all requests of a session.

What a provider keeps of a prompt serves only requests that come back to it (OpenRouter,
prompt-caching, "Provider Sticky Routing"). So who comes first in a lottery is drawn once
for a session: each endpoint has its own chance there, which follows from the session and
the endpoint alone. Nothing has to be remembered, every worker and node draws the
same, and an endpoint that joins or leaves moves no session between the others.
"""

from collections.abc import Iterable
from hashlib import blake2b

from dragoman.routing.types import Step

DIGEST = 8
STEPS = 2**53
"""As many numbers between 0 and 1 a float tells apart."""


def session_key(name: str | None) -> bytes | None:
    """Return what stands for a session in an `Ask`, None where there is none."""
    if not name:
        return None
    return blake2b(name.encode(errors="surrogatepass"), digest_size=DIGEST).digest()


def session_chances(session: bytes, steps: Iterable[Step]) -> list[float]:
    """Return for each step a number from 0 to below 1, as evenly spread as drawn ones."""
    drum = blake2b(session, digest_size=DIGEST)
    chances = []
    for step in steps:
        draw = drum.copy()
        draw.update(step.endpoint.id.encode())
        chances.append((int.from_bytes(draw.digest()) >> 11) / STEPS)
    return chances
