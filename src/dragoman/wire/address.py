"""Where a gateway's API is, for those who call one. How a URL is read is told in `net.url`."""

HERE = "http://127.0.0.1:4000/api/v1"
"""The gateway of this machine."""


def api_base(url: str) -> str:
    """Return where the API is at `url`: that itself, unless it names a host and no path."""
    bare = url.rstrip("/")
    scheme, found, rest = bare.partition("://")
    if not (scheme and found and rest):
        return bare
    _, _, path = rest.partition("/")
    return {"": f"{bare}/api/v1", "api": f"{bare}/v1"}.get(path, bare)
