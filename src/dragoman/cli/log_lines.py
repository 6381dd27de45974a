"""How the log of a server looks: one line an event, its details behind it as `name=value`."""

import logging

BREAKS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What would begin another line, or command a terminal: words of hosts and errors may hold it."""
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogLines(logging.Formatter):
    """Formats a record with what it was given as `extra`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line without a traceback."""
        line = super().formatMessage(record)
        details = (f"{k}={v}" for k, v in vars(record).items() if k not in STANDARD)
        return " ".join((line, *details)).translate(BREAKS)


def to_stderr() -> None:
    """Send the log of this process to stderr, warnings and worse."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines())
    logging.basicConfig(handlers=[handler])
