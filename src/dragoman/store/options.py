"""The section `database:` of `dragoman.yaml`: where the state is kept."""

import re
from typing import Annotated

from msgspec import Meta, Struct

FILES = "files"
SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
DRIVER = "+asyncpg"

Url = Annotated[
    str,
    Meta(
        pattern=r"^(postgres(ql)?(\+asyncpg)?://.+|files)$",
        description="`postgresql://user:password@host:5432/name`, or `files`",
    ),
]


class DatabaseOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files in the data directory, or a PostgreSQL server that several nodes share."""

    url: Url | None = None
    """`postgresql://user:password@host:5432/name`, or `files` for the data directory. Without
    it the environment's `DATABASE_URL` counts, and without that the state is in files."""
    schema: str = "dragoman"
    """The schema of PostgreSQL that holds our tables, and nothing else."""

    def __post_init__(self) -> None:
        if not SCHEMA.fullmatch(self.schema) or self.schema.startswith(("pg_", "public")):
            raise ValueError(
                f"schema {self.schema!r}: give small letters, digits and underscores, and a schema "
                "for Dragoman alone: not public, and none that begins with pg_"
            )

    def __repr__(self) -> str:
        return f"DatabaseOptions(schema={self.schema!r}, …)"

    @property
    def server(self) -> str | None:
        """The address of the PostgreSQL server, None where state is in files."""
        if self.url is None or self.url == FILES:
            return None
        return self.url.replace(DRIVER, "", 1)
