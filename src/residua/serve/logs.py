"""Logs: a line a request, for people on a terminal, as JSON elsewhere; never a picture."""

import json
import logging
import sys
from datetime import UTC, datetime

_EXTRA = ("client", "status", "milliseconds")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message and what was added to it."""
        moment = datetime.fromtimestamp(record.created, UTC)
        said = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {name: getattr(record, name) for name in _EXTRA if hasattr(record, name)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def set_up_logs(*, quiet: bool, as_json: bool | None = None) -> bool:
    """Write the logs to the standard error; ``quiet`` leaves out the requests.

    ``as_json`` None: as JSON where that is no terminal. Returns whether they are JSON.
    """
    if as_json is None:
        as_json = not sys.stderr.isatty()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    )
    logging.captureWarnings(capture=True)
    for name in ("residua", "uvicorn", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "residua" else logging.WARNING)
    logging.getLogger("residua.access").setLevel(logging.WARNING if quiet else logging.INFO)
    return as_json
