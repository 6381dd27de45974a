"""A data policy that is not known is the worse one."""

import pytest

from dragoman.catalog.types import DataPolicy


@pytest.mark.parametrize(
    ("policy", "collects", "keeps_nothing"),
    [
        (DataPolicy(), True, False),
        (DataPolicy(trains=True, zdr=False), True, False),
        (DataPolicy(trains=False), False, False),
        (DataPolicy(trains=False, retains=True), False, False),
        (DataPolicy(trains=False, retains=False, zdr=True), False, True),
    ],
)
def test_policy(policy: DataPolicy, collects: bool, keeps_nothing: bool) -> None:  # noqa: FBT001
    assert policy.collects is collects
    assert policy.keeps_nothing is keeps_nothing
