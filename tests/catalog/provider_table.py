"""docs/providers.md, written from the shipped rows.

    python -m tests.catalog.provider_table > docs/providers.md

Not a test: `test_catalog_providers` holds the page to what this returns.
"""

import sys
from collections.abc import Iterable, Iterator

from dragoman.catalog import shipped
from dragoman.catalog.types import Provider

INTRODUCTION = """\
# Providers

Every provider that Dragoman knows, from `src/dragoman/catalog/data/providers.yaml`. This page is
generated; a test holds it to that file.

A provider is switched on by its key: set the variable, or write `api_key` in `dragoman.yaml`
([configuration](configuration.md)). Where no variable is named, the usual one opens other things
as well, and only `dragoman.yaml` counts. `{VARIABLE}` in an address is filled from the
environment.

**Training, keeping, ZDR** is what the provider does with prompts: whether they train models,
whether they are kept after the answer, and whether nothing is kept at all (zero data retention).
`?` is unknown, and treated as the worse answer: `data_collection: deny` and `zdr: true` leave it
out. **Source** is where this was read, and when: a page of the provider, or OpenRouter's list of
providers. That nothing is kept is never taken from OpenRouter's list, as it may rest on a
contract that you do not have. If you have one, or know better, write `policy` in `dragoman.yaml`.

**Dialect** is what the provider speaks. A dialect that this version does not have makes its
endpoints `inactive`: they are listed, and not called.

To add a provider, add a row to the file; to use one of your own, write it in `dragoman.yaml`.
Neither needs Python. GitHub Copilot, GitLab Duo and SAP AI Core are left out, as they give out no
key that a gateway could hold.
"""

SECTIONS = (
    ("host", "Hosts", "They serve models themselves, and are default routes once configured."),
    ("aggregator", "Aggregators", "They resell other hosts, and are asked only when named."),
    (
        "plan",
        "Plans",
        "Subscriptions and free tiers with terms of their own, asked only when named.",
    ),
    ("local", "On this machine", "Asked only when named."),
)
ANSWERS = {None: "?", True: "yes", False: "no"}


def page(rows: Iterable[Provider]) -> str:
    """Return the whole page as Markdown."""
    by_name = sorted(rows, key=lambda row: row.name.lower())
    lines = [INTRODUCTION]
    for kind, title, meaning in SECTIONS:
        chosen = [row for row in by_name if row.kind == kind]
        lines += [f"## {title} ({len(chosen)})\n", f"{meaning}\n", *_table(chosen), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: Iterable[Provider]) -> Iterator[str]:
    yield "| slug | name | dialect | key | country | training | keeping | ZDR | source |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        policy = row.policy
        cells = (
            f"`{row.slug}`",
            row.name,
            row.dialect,
            f"`{row.keys[0]}`" if row.keys else "",
            row.headquarters or "?",
            *(ANSWERS[answer] for answer in (policy.trains, policy.retains, policy.zdr)),
            f"[{policy.dated}]({policy.source})" if policy.source else "",
        )
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page(shipped.load().providers.values()))
