"""Providers that OpenRouter has and nobody can call here, by what it calls them.

A request that names one of them is no mistake: it was written for OpenRouter, which skips who
does not serve the model (provider-selection, "Ordering Specific Providers"). Names are those of
its schema `ProviderName`; here they only have to be known for names.
"""

from typing import Final

_NAMES: Final = (
    "AssemblyAI", "Black Forest Labs", "Cirrascale", "Claude Platform on AWS", "Cosine",
    "Crucible", "Decart", "Deepgram", "ElevenLabs", "FakeProvider", "Fish Audio", "HeyGen",
    "Inferact vLLM", "Ionstream", "Krea", "Liquid", "Makora", "Mara", "Modal", "ModelRun",
    "Modular", "NCompass", "Nex AGI", "Ollama", "ParetoAlpha", "Perceptron", "PrimeIntellect",
    "Quiver", "Recraft", "Recursive", "Relace", "Respan", "Runway", "ScaleDown", "Seed",
    "Sourceful", "Stealth", "Switchpoint", "Tenstorrent", "Thinking Machines", "TypeSafe",
    "Unbiased",
)  # fmt: skip

ELSEWHERE: Final = {
    spelled: name.lower().replace(" ", "-")
    for name in _NAMES
    for spelled in (name.lower(), name.lower().replace(" ", "-"))
}
"""Display name or slug, in lower case -> slug."""


def elsewhere_slug(name: str) -> str | None:
    """Return the slug of a provider that is known for its name only, None if it is not."""
    base, slash, variant = name.strip().lower().partition("/")
    slug = ELSEWHERE.get(base)
    return f"{slug}/{variant}" if slug is not None and slash and variant else slug
