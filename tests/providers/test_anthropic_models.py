"""What a model of the Claude family takes, by any of the names that hosts have for it."""

import pytest

from dragoman.providers.anthropic.models import Traits, traits

BUDGET, BOTH, ADAPTIVE, NEITHER = (True, False), (True, True), (False, True), (False, False)


@pytest.mark.parametrize(
    ("upstream", "thinks", "off", "strongest", "samples"),
    [
        ("claude-3-haiku-20240307", NEITHER, "absent", None, True),
        ("claude-3-5-sonnet-20241022", NEITHER, "absent", None, True),
        ("claude-3-7-sonnet-20250219", BUDGET, "absent", None, True),
        ("claude-sonnet-4-20250514", BUDGET, "absent", None, True),
        ("claude-opus-4-0", BUDGET, "absent", None, True),
        ("claude-opus-4-1-20250805", BUDGET, "absent", None, True),
        ("claude-haiku-4-5@20251001", BUDGET, "absent", None, True),
        ("claude-opus-4-5-20251101", BUDGET, "absent", "high", True),
        ("us.anthropic.claude-opus-4-6-v1:0", BOTH, "absent", "max", True),
        ("anthropic/claude-4.6-sonnet", BOTH, "absent", "max", True),
        ("claude-opus-4-7", ADAPTIVE, "absent", "max", False),
        ("claude-opus-4-8", ADAPTIVE, "absent", "max", False),
        ("claude-sonnet-5", ADAPTIVE, "disabled", "max", False),
        ("claude-opus-5", ADAPTIVE, "disabled", "max", False),
        ("claude-haiku-5-5", ADAPTIVE, "disabled", "max", False),
        ("claude-sonnet-5-5", ADAPTIVE, "between_tools", "max", False),
        ("claude-opus-5-5", ADAPTIVE, "never", "max", False),
        ("Claude-Fable-5", ADAPTIVE, "never", "max", False),
        ("claude-mythos-preview", ADAPTIVE, "never", "max", False),
    ],
)
def test_a_model_is_known_by_its_name(
    upstream: str, thinks: tuple[bool, bool], off: str, strongest: str | None, *, samples: bool
) -> None:
    found = traits(upstream)
    assert (found.known, found.budget, found.adaptive) == (True, *thinks)
    assert (found.off, found.samples) == (off, samples)
    assert (found.efforts[-1] if found.efforts else None) == strongest
    assert found.thinks is any(thinks)


@pytest.mark.parametrize(
    ("name", "having"),
    [
        ("structured", {"claude-haiku-4-5", "claude-opus-4-8", "claude-opus-5-5"}),
        ("system_turns", {"claude-opus-4-8", "claude-sonnet-5", "claude-opus-5-5"}),
        ("samples_twice", {"claude-opus-4-0", "claude-3-7-sonnet-20250219"}),
        ("forced", {"claude-opus-4-0", "claude-opus-5", "claude-haiku-5-5", "claude-fable-5"}),
    ],
)
def test_what_came_with_a_version_or_went_with_it(name: str, having: set[str]) -> None:
    lacking = {
        "structured": {"claude-opus-4-1", "claude-3-haiku-20240307"},
        "system_turns": {"claude-opus-4-7", "claude-sonnet-4-6"},
        "samples_twice": {"claude-opus-4-1", "claude-haiku-4-5"},
        "forced": {"claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"},
    }[name]
    assert all(getattr(traits(upstream), name) for upstream in having)
    assert not any(getattr(traits(upstream), name) for upstream in lacking)


@pytest.mark.parametrize("upstream", ["", "MiniMax-M3", "claude", "claude-instant-1.2"])
def test_of_a_stranger_nothing_new_is_expected(upstream: str) -> None:
    assert traits(upstream) == Traits(known=False)
