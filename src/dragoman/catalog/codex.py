"""The list of models as Codex reads it: `models`, beside what other clients read.

Codex asks with `client_version`, and takes an entry for what it then offers: which efforts
of reasoning there are, how much fits in. It refuses the whole list for one entry with a
field missing or a word it does not know, so only words are used that every version of it
knows, and every field that it insists on is there.
"""

from collections.abc import Iterable

from msgspec import UNSET

from dragoman.catalog.rows import CodexEffort, CodexModel, ModelRow

EFFORTS = {
    "minimal": "Hardly any reasoning",
    "low": "Quick answers with little reasoning",
    "medium": "A balance of speed and depth",
    "high": "Deep reasoning for hard problems",
    "xhigh": "The deepest reasoning, and the slowest",
}
"""The efforts that Codex has words for, weakest first."""

USUAL_EFFORTS = ("low", "medium", "high")
"""What a model is taken to know that reasons and does not say how."""

INSTRUCTIONS = """\
You are a coding agent in a terminal, working with the user on the files of one directory.

Find out before you act: read the files and run the commands that tell you how things are. \
Make the smallest change that solves the problem, in the style of the code around it. Leave \
alone what you were not asked to change, and never undo what the user did. Check your work \
by running it or its tests. Say plainly what you did, what you found, and what is still open. \
Ask only when you cannot go on without an answer.
"""
"""Codex sends this as the system prompt, for it takes that from the list as well."""


def codex_models(rows: Iterable[ModelRow]) -> tuple[CodexModel, ...]:
    """Return an entry for each row, in the same order."""
    return tuple(_entry(row, position) for position, row in enumerate(rows))


def _entry(row: ModelRow, position: int) -> CodexModel:
    return CodexModel(
        slug=row.id,
        display_name=row.name,
        description=row.description,
        supported_reasoning_levels=_efforts(row),
        priority=position,
        base_instructions=INSTRUCTIONS,
        context_window=row.context_length,
        supports_parallel_tool_calls="parallel_tool_calls" in row.supported_parameters,
    )


def _efforts(row: ModelRow) -> tuple[CodexEffort, ...]:
    if row.reasoning is UNSET:
        return ()
    known = row.reasoning.supported_efforts or USUAL_EFFORTS
    return tuple(
        CodexEffort(effort=effort, description=description)
        for effort, description in EFFORTS.items()
        if effort in known
    )
