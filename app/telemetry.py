"""Logging for the whole process: one set-up, one format, and masking of known secret values.

Knows no domain word. Modules log through ``logging.getLogger("hookledger.<room>")``.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import structlog

MASK = "***"
SHORTEST_MASKED = 4
"""Shorter values occur in ordinary text all the time; masking them would garble every line."""

Mask = Callable[[str], str]


def set_up_logging(level: str, style: Literal["console", "json"]) -> None:
    """Send every log record to standard error, as coloured lines or as JSON objects."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
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


def mask_for(values: Iterable[str]) -> Mask:
    """Return a function that masks ``values`` in a text.

    The rule: every value of at least four characters, wherever it occurs, also inside longer text;
    also as JSON and Python write it (escaped), and each line of a value of several lines by itself.
    What disguises a value, say by reversing it, is not found.
    """
    forms = {form for value in values for form in _forms(value) if len(form) >= SHORTEST_MASKED}
    if not forms:
        return str
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))

    def masked(text: str) -> str:
        return pattern.sub(MASK, text)

    return masked


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield from value.splitlines()
