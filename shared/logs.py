"""How every process logs: one JSON object a line on stderr, with document, run and event where there are any."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from shared.settings import Settings


class LogSettings(Settings):
    """How much is logged."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least level that is logged."
    )


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
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(process: str) -> None:
    """Send everything of this process to stderr in that form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LogSettings().log_level)
    for noisy in ("httpx", "httpcore", "botocore", "urllib3", "uvicorn.access", "fontTools", "weasyprint"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
