"""The daemon's own log: one JSON object a line on standard error.

In: log records. Out: lines. Never: a workload's output, a request's body; the audit log is another
thing (audit/).
"""

import json
import logging
import sys
from datetime import UTC, datetime

from cleanroom.daemon.clock import timestamp


class JsonFormatter(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        line = {
            "time": timestamp(moment),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """Log from here on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
