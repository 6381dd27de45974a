"""The log can be heard, whatever a library that ran before has done to it."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _audible(monkeypatch: pytest.MonkeyPatch) -> None:
    # import-linter configures logging with `disable_existing_loggers`.
    for name in ("dragoman.web.edge", "uvicorn.error"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
