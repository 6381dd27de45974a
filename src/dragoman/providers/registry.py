"""All dialects by the name that a provider's row gives.

The demo providers speak OpenAI's dialect; only the way to them differs.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dragoman.providers.dialect import Dialect
from dragoman.providers.openai.dialect import OpenAiDialect

_OPENAI = OpenAiDialect()

DIALECTS: Mapping[str, Dialect] = MappingProxyType({"openai": _OPENAI, "demo": _OPENAI})
