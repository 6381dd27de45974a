"""The list of models as a feed, for `GET /models?use_rss=true`: RSS 2.0.

Written by hand, for it is a dozen elements; the specification is at
rssboard.org/rss-specification.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape

from dragoman.catalog.rows import ModelRow

CONTENT_TYPE = "application/rss+xml"
FORBIDDEN = {code: None for code in range(32) if code not in {9, 10, 13}} | {
    0xFFFE: None,
    0xFFFF: None,
}
"""What XML 1.0 cannot hold, not even escaped."""


def feed(rows: Iterable[ModelRow], base: str) -> bytes:
    """Return the rows as a feed. Links lead below `base`, such as `https://host`."""
    items = "".join(_item(row, base) for row in rows)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0"><channel>'
        "<title>Dragoman models</title>"
        f"<link>{_text(base)}/api/v1/models</link>"
        "<description>The models that this gateway can call</description>"
        f"{items}</channel></rss>\n"
    ).encode(errors="replace")


def _item(row: ModelRow, base: str) -> str:
    return (
        f"<item><title>{_text(row.name)}</title>"
        f"<link>{_text(base + row.links.details)}</link>"
        f"<description>{_text(row.description)}</description>"
        f'<guid isPermaLink="false">{_text(row.id)}</guid>'
        f"{_published(row.created)}</item>"
    )


def _published(created: int) -> str:
    """Return when a model appeared, in the form of RFC 822; nothing where that is unknown."""
    if not created:
        return ""
    return (
        f"<pubDate>{format_datetime(datetime.fromtimestamp(created, UTC), usegmt=True)}</pubDate>"
    )


def _text(text: str) -> str:
    return escape(text.translate(FORBIDDEN))
