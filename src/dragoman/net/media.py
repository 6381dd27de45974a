"""What a file is, told from its first bytes: what a host says of it is no evidence.

Sources: WHATWG MIME Sniffing, 6, and the formats' own specifications.
"""

# What begins a file: an offset, the bytes there, and the media type. First match counts.
_SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVEfmt ", "audio/wav"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)

_TOLD_BY_SIGNS = ("image/", "audio/", "video/", "application/pdf")
_UNSAID = frozenset({"", "application/octet-stream", "binary/octet-stream"})


def sniffed(body: bytes) -> str:
    """Return the media type that the first bytes of a file show, or an empty text."""
    for offset, sign, media_type in _SIGNS:
        if body.startswith(sign, offset):
            return media_type
    return ""


def media_type_of(said: str, body: bytes) -> str:
    """Return what a file is: as its bytes show, else as its host `said`; empty for unknown.

    Images, sound, films and PDF are never taken at a host's word.
    """
    if shown := sniffed(body):
        return shown
    return "" if said.startswith(_TOLD_BY_SIGNS) else said


def may_be(said: str, kinds: tuple[str, ...]) -> bool:
    """Whether it is worth reading what a host calls `said`, when `kinds` are wanted."""
    return said in _UNSAID or is_of(said, kinds)


def is_of(media_type: str, kinds: tuple[str, ...]) -> bool:
    """Whether a media type is one of `kinds`, of which `image/` stands for all images."""
    return any(
        media_type.startswith(kind) if kind.endswith("/") else media_type == kind for kind in kinds
    )
