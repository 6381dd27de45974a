"""What generations of Gemini models have in common, told by the model's name."""

import re

from msgspec import Struct

_NAME = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


class Family(Struct, frozen=True, kw_only=True, gc=False):
    """A generation of models.

    `levels`: it is told how hard to think in levels, else in tokens, of which `least` to `most`
    are allowed; `most` is 0 for models that do not think. `stops`: thinking can be switched off.
    `signs`: it refuses calls of tools that are sent back without a signature.
    `mixes`: it takes tools and a response format together. `sees`: results of tools may hold media.
    """

    levels: bool = False
    least: int = 0
    most: int = 0
    stops: bool = False
    signs: bool = False
    mixes: bool = False
    sees: bool = False
    least_level: str = "LOW"


_OLD = Family()
# ai.google.dev/gemini-api/docs/thinking, the tables of thinkingBudget and thinkingLevel.
_PRO_2_5 = Family(least=128, most=32_768)
_FLASH_2_5 = Family(least=1, most=24_576, stops=True)
_LITE_2_5 = Family(least=512, most=24_576, stops=True)
_PRO_3 = Family(levels=True, signs=True, mixes=True, sees=True)
_FLASH_3 = Family(levels=True, signs=True, mixes=True, sees=True, least_level="MINIMAL")


def family(name: str) -> Family:
    """Return what is known of a model by its name.

    A Gemini model without a number, such as `gemini-flash-latest`, counts as one of the newest.
    """
    name = name.rpartition("/")[2].lower()
    if not name.startswith("gemini"):
        return _OLD
    found = _NAME.match(name)
    if found is None or int(found[1]) >= 3:
        return _FLASH_3 if "flash" in name else _PRO_3
    if (int(found[1]), int(found[2] or 0)) < (2, 5):
        return _OLD
    if "pro" in name:
        return _PRO_2_5
    return _LITE_2_5 if "lite" in name else _FLASH_2_5
