"""Where things are in this project, and its declarations, for the tests that keep it tidy."""

import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "dragoman"
MODULES: Final = sorted(SOURCE.rglob("*.py"))
PROGRAMS: Final = [
    *MODULES,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "bench").glob("*.py")),
    *sorted((ROOT / "bench" / "siege").rglob("*.py")),
    *sorted((ROOT / "bench" / "cluster").rglob("*.py")),
]
ROOMS: Final = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
PAPERS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(path: Path) -> str:
    """Return a path as people write it: `relay/life.py`, or `tests/conftest.py`."""
    return str(path.relative_to(SOURCE if path.is_relative_to(SOURCE) else ROOT))
