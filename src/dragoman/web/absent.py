"""Paths of OpenRouter's API that lead nowhere here, and what does instead."""

KEYS = "make and limit keys by /api/v1/keys"
TRAFFIC = "they are figures of its own traffic; yours are at /api/v1/activity"

ABSENT = {
    "auth": f"sign-in for apps (OAuth): {KEYS}",
    "audio": "routes for sound: ask a model that hears or speaks by /api/v1/chat/completions",
    "batches": "batches: send the requests one by one",
    "benchmarks": f"benchmarks: {TRAFFIC}",
    "classifications": f"classifications: {TRAFFIC}",
    "datasets": f"datasets: {TRAFFIC}",
    "files": "stored files: send files within the request",
    "guardrails": f"guardrails: {KEYS}, with budgets and allowlists of models and providers",
    "images": "routes for images: ask a model that makes them by /api/v1/chat/completions",
    "observability": "destinations: export records by /api/v1/generations/export",
    "presets": "presets: send the settings that they stand for",
    "scim": "SCIM: add members by /api/v1/organization/members",
    "videos": "routes for videos",
    "workspaces": f"workspaces: {KEYS}, or use an account for each",
}
"""By the first name below `/v1` or `/beta`."""


def absent(path: str) -> str:
    """Say of a path of OpenRouter's what is not here; empty for all others. `path` is canonical."""
    names = path.split("/")
    what = ABSENT.get(names[2]) if len(names) > 2 and names[1] in {"v1", "beta"} else None
    return f" This version has none of OpenRouter's {what}." if what else ""
