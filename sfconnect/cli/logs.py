"""Logging of the command: to stderr, without secrets."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any, Final, TextIO

import structlog

from sfconnect.cli.common import Common
from sfconnect.cli.failures import one_line
from sfconnect.instrumentation import redact_text, redacting_processor

DEFAULT_LEVEL: Final = "error"


def start_logging(common: Common) -> None:
    """Set up structlog, the standard library's logging and warnings for this process."""
    level = logging.getLevelNamesMapping()[(common.log_level or DEFAULT_LEVEL).upper()]
    structlog.configure(
        processors=_processors(as_json=bool(common.log_json)),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=level, handlers=[_ToStructlog()], force=True)
    # What it has to say below that is which selector it uses.
    logging.getLogger("asyncio").setLevel(max(level, logging.INFO))
    warnings.showwarning = _show_warning  # for programs to replace, says its documentation


def _processors(*, as_json: bool) -> list[Any]:
    last = structlog.processors.JSONRenderer() if as_json else _renderer()
    # A person reads along and compares with the clock on the wall; machines keep lines for years.
    stamp = {"fmt": "iso"} if as_json else {"fmt": "%H:%M:%S.%f", "utc": False}
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(**stamp),
        structlog.processors.format_exc_info,
        redacting_processor,
        last,
    ]


def _renderer() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), pad_event_to=0, sort_keys=False
    )


class _ToStructlog(logging.Handler):
    """Give records of other libraries the same form, and the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info, logger=record.name)


def _show_warning(  # noqa: PLR0917  # as the standard library calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning as one line, without the place in the source that raised it."""
    del category, filename, lineno, file, line
    print(f"Warning: {one_line(redact_text(str(message)))}", file=sys.stderr)
