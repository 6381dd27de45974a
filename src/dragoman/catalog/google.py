"""Where Vertex AI is, told by the variables that mean it and nothing else. Pure.

Google's own `GOOGLE_CLOUD_PROJECT` is set for many reasons, and does not count.
Source: docs.cloud.google.com/vertex-ai, "Locations": each region has a host of its own, `global`
has one without a region, the multi-regions `us` and `eu` have their own kind.
"""

import re
from collections.abc import Mapping

_NAMES = {
    "GOOGLE_VERTEX_PROJECT": "VERTEX_PROJECT",
    "GOOGLE_VERTEX_LOCATION": "VERTEX_LOCATION",
}
"""Variables -> another name for each."""

DEFAULT = "GOOGLE_APPLICATION_CREDENTIALS"
BY_DEFAULT = "application default credentials"
"""Where a credential comes from that Google's own tools would find, `DEFAULT` among its places."""

_NO_REGION = re.compile(r"//(global|us|eu)-aiplatform\.googleapis\.com")


def with_other_names(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with each variable of Vertex AI under its first name."""
    found = {
        name: environ[other]
        for name, other in _NAMES.items()
        if environ.get(other) and not environ.get(name)
    }
    return {**environ, **found} if found else environ


def reachable(url: str) -> str:
    """Return the address of a location, which for some has another form than most."""
    return _NO_REGION.sub(lambda match: f"//{_host(match[1])}", url, count=1)


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    return f"aiplatform.{location}.rep.googleapis.com"
