# mypy: ignore-errors
"""What every framework is asked, and how its run is told: a line of JSON for all models.

Runs with the Python of the frameworks' own environment, which knows nothing of the project.
"""

import json
import os
from collections.abc import Callable
from typing import Any

KEY = os.environ["GATEWAY_KEY"]
BASE = os.environ["GATEWAY_URL"] + "/api/v1"
IMAGE = "data:image/png;base64," + os.environ["PNG"]
MODELS = json.loads(os.environ["MODELS"])


def say(word: str) -> str:
    """Return what a user says to get a certain answer."""
    return f"compat-{word}: what do you say?"


def failure(work: Callable[[], Any]) -> dict[str, Any]:
    """Return how a piece of work fails."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - what it is, is what is asked
        status = getattr(error, "status_code", None)
        return {"status": status, "message": f"{type(error).__name__}: {error}"}
    return {"status": None, "message": ""}


def tell(run: Callable[[str], dict[str, Any]]) -> None:
    """Print what was found for each model."""
    print(json.dumps({host: run(model) for host, model in MODELS.items()}))  # noqa: T201
