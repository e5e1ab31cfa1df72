"""Logging: one format on stderr and in the file, and nothing of other libraries that could hold a secret."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from latchpin.activity.access_lines import JoiningFile, JoiningStream
from latchpin.activity.recorder import current_flow
from latchpin.settings.core import CoreSettings

__all__ = ["set_up_logging", "tear_down_logging"]

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029)}
_FACTS = ("flow_id", "request_id", "cause", "status", "duration_ms")
_OURS = "latchpin"
_LINE = "latchpin_line"


class _WrittenOnce(logging.Formatter):
    """Writes a record's line once, for all handlers that share the formatter: half of what a line costs."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        written: tuple[logging.Formatter, str] | None = getattr(record, _LINE, None)
        if written is not None and written[0] is self:
            return written[1]
        line = self.write(record)
        setattr(record, _LINE, (self, line))
        return line

    def write(self, record: logging.LogRecord) -> str:
        """Write it."""
        return super().format(record)


class TextFormatter(_WrittenOnce):
    """One line a record, ending in "{LEVEL} - {message}"; control characters are spelt out.

    The line is put together here: a style of the standard library's costs as much again as all else that writes one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = (-1, "")

    def usesTime(self) -> bool:  # noqa: N802  logging's own name
        """Every line begins with the time."""
        return True

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002  as above
        """Write the time; what is the same within a second is written once."""
        second, shown = self._second
        if int(record.created) != second:
            second, shown = int(record.created), time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
            self._second = (second, shown)
        return f"{shown},{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """Write the line."""
        if not record.message.isprintable():
            record.message = record.message.translate(_CONTROL)
        return f"{record.asctime} {record.process} {record.name} {record.levelname} - {record.message}"


class JsonFormatter(_WrittenOnce):
    """One JSON object a line: ``cause`` where there is one, ``flow_id`` on every line of a flow, whoever wrote it.

    ``request_id`` is what an answer about no flow was told.
    """

    def write(self, record: logging.LogRecord) -> str:
        """Write the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        line |= {name: value for name in _FACTS if (value := getattr(record, name, None)) is not None}
        if "flow_id" not in line and (flow := current_flow()) is not None:
            line["flow_id"] = flow
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


class _Ours(logging.Filter):
    """Lets Latchpin and its plugins speak at their own level, other libraries from WARNING on.

    HTTP libraries log whole URLs at INFO and DEBUG, with codes and states in them.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record passes."""
        name = record.name.partition(".")[0]
        if name.startswith(_OURS):
            return True
        return record.levelno >= (logging.INFO if record.name == "uvicorn.error" else logging.WARNING)


class _PrivateFile(JoiningFile):
    """A log file that is made for its owner's eyes only; one that is there keeps its mode."""

    def _open(self) -> TextIOWrapper:
        stream: TextIOWrapper = open(self.baseFilename, "a", encoding="utf-8", opener=_open_private)  # noqa: SIM115
        return stream


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def set_up_logging(settings: CoreSettings) -> None:
    """Install the handlers for this process; a log file that cannot be written is a warning, not a failure."""
    handlers: list[logging.Handler] = [JoiningStream(sys.stderr)]
    complaint = ""
    if settings.log_file:
        try:
            Path(settings.log_file).parent.mkdir(parents=True, exist_ok=True)
            handlers.append(_PrivateFile(settings.log_file, encoding="utf-8"))
        except OSError as exc:
            complaint = f"LOG_FILE {settings.log_file} cannot be written ({exc.strerror}); logging to stderr only"
    root = logging.getLogger()
    tear_down_logging()
    formatter = JsonFormatter() if settings.log_format == "json" else TextFormatter()
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.addFilter(_Ours())
        root.addHandler(handler)
    root.setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.access"):
        other = logging.getLogger(name)
        other.handlers[:] = []
        other.propagate = name in {"uvicorn", "uvicorn.error"}
    if complaint:
        logging.getLogger("latchpin.logs").warning(complaint)


def tear_down_logging() -> None:
    """Remove and close the handlers that an earlier set-up in this process installed."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each.formatter, TextFormatter | JsonFormatter)]:
        root.removeHandler(handler)
        handler.close()
