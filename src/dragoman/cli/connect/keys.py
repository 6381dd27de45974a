"""A key for a client, where this command has the data directory of the gateway."""

import time
from pathlib import Path

from dragoman.cli.context import opened_existing, settings
from dragoman.office import keys


def mint(name: str, data: Path | None, config: Path | None) -> str:
    """Make a key and return its text. Raises Failure where there is no Dragoman's data."""
    chosen = settings(data, config)
    with opened_existing(chosen) as premises:
        work = keys.create(
            name,
            prefix=chosen.options.access.key_prefix,
            pepper=premises.pepper,
            now=time.time(),
        )
        text, _ = premises.ledger.run_now(work)
    return text
