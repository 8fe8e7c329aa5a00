"""How every process logs, on stderr: a JSON object a line for machines, or a short line for people at a terminal.

What a line is about (document, run, event, request, trace) is set once around the work; each line within tells it.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from shared.settings import Settings


class LogSettings(Settings):
    """How much is logged, and for whom."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least level that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="A JSON object a line, or short lines for people (what `serve` writes to a terminal)."
    )


_about: ContextVar[Mapping[str, str] | None] = ContextVar("about", default=None)


@contextmanager
def logging_about(**fields: str | None) -> Iterator[None]:
    """Add these fields to every line that is logged within, also by threads that it waits for; None is left out."""
    token = _about.set({**(_about.get() or {}), **{name: value for name, value in fields.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """Formats a record as one line; line breaks in messages are escaped by JSON itself."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **(_about.get() or {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class ShortLines(logging.Formatter):
    """Time, process and message; a trace is left to the JSON form, its last line is shown."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        cause = f" ({record.exc_info[1]!r})" if record.exc_info and record.exc_info[1] else ""
        return f"{time} {self._process:8} {level}{record.getMessage()}{cause}"


def configure_logging(process: str) -> None:
    """Send everything of this process to stderr in the form that is set."""
    settings = LogSettings()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if settings.log_format == "json" else ShortLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("httpx", "httpcore", "botocore", "urllib3", "uvicorn.access", "fontTools", "weasyprint"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
