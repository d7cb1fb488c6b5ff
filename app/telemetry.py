"""Logging for the whole process: one set-up, one format.

Knows no domain word. Modules log through ``logging.getLogger("hookledger.<room>")``.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

TERMINAL_CONTROLS = dict.fromkeys(
    (
        *(code for code in range(32) if chr(code) not in "\t\n"),
        *range(127, 160),
        *(0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    ),
    "\ufffd",
)
"""For ``str.translate``: takes away what steers a terminal, or has text shown in another order."""


def set_up_logging(level: str, style: Literal["console", "json"]) -> None:
    """Send every log record to standard error, as coloured lines or as JSON objects."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "console":
        shared.append(_harmless)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("git", "watchfiles", "httpx", "httpcore", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _harmless(
    _logger: structlog.typing.WrappedLogger, _name: str, record: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Show the words of others, a hook's last ones for example, as text and as one record."""
    for key, value in record.items():
        if isinstance(value, str):
            record[key] = value.translate(TERMINAL_CONTROLS).replace("\n", "\n    ")
    return record
