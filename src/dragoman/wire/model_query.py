"""Plain words for `GET /models`: what people want, as the parameters that ask for it.

`dragoman models` and the Python client speak these words; the parameters are OpenRouter's
(docs, API reference, "List models"), and so is what they mean. A word that is not listed
is passed on as it stands, so that whoever answers can say which values are known.
"""

from collections.abc import Iterable, Mapping

ORDERS: Mapping[str, str] = {
    "price": "pricing-low-to-high",
    "cost": "pricing-low-to-high",
    "context": "context-high-to-low",
    "newest": "newest",
    "throughput": "throughput-high-to-low",
    "speed": "throughput-high-to-low",
    "latency": "latency-low-to-high",
}
"""Word -> value of `sort`."""

NEEDS: Mapping[str, tuple[str, str]] = {
    "audio": ("input_modalities", "audio"),
    "chat": ("output_modalities", "text"),
    "embeddings": ("output_modalities", "embeddings"),
    "file": ("input_modalities", "file"),
    "image": ("input_modalities", "image"),
    "image-output": ("output_modalities", "image"),
    "instruct": ("output_modalities", "text"),
    "json": ("supported_parameters", "response_format"),
    "pdf": ("input_modalities", "file"),
    "video": ("input_modalities", "video"),
    "vision": ("input_modalities", "image"),
}
"""Word -> parameter and value. Others are names of request parameters: `tools`, `reasoning`."""


def order(word: str) -> str:
    """Return the value of `sort` for a word."""
    return ORDERS.get(word.lower(), word)


def needs(words: Iterable[str]) -> dict[str, str]:
    """Return the parameters that ask for models which can do all that the words name."""
    query: dict[str, list[str]] = {}
    for word in words:
        name, value = NEEDS.get(word.lower(), ("supported_parameters", word))
        query.setdefault(name, []).append(value)
    return {name: ",".join(dict.fromkeys(values)) for name, values in query.items()}
