"""A configuration as text to be copied: files, variables, code, and what is done by hand. Pure."""

import shlex
from collections.abc import Iterator

from dragoman.cli.connect.documents import edited
from dragoman.cli.connect.types import Config


def rendered(config: Config) -> str:
    """Return the parts that a configuration has, an empty line between them."""
    return "\n".join(_parts(config))


def exported(name: str, value: str) -> str:
    """Return the line that sets a variable in a shell."""
    return f"export {name}={shlex.quote(value)}"


def _parts(config: Config) -> Iterator[str]:
    for document in config.documents:
        yield f"# {document.path}\n{edited(document.kind, '', document.settings)}"
    if config.env:
        yield "".join(f"{exported(name, value)}\n" for name, value in config.env)
    if config.code:
        yield config.code
    if config.steps:
        yield "".join(f"- {step}\n" for step in config.steps)
