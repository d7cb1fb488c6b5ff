"""JSON, NDJSON and CSV, from rows that were chosen member by member."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

Members = Mapping[str, Any]
"""What is shown of a row, by name."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width signs, which some spreadsheets read as the narrow ones."""


def json_text(value: Any) -> bytes:
    """Write JSON; raise ``TypeError`` for anything but plain values, mappings and sequences."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)


def ndjson_text(rows: Iterable[Members]) -> bytes:
    """Write each row as a line."""
    return b"".join(json_text(row) + b"\n" for row in rows)


def csv_text(rows: Iterable[Members], columns: Sequence[str]) -> bytes:
    """Write each row as a record (RFC 4180), mappings as JSON."""
    written = io.StringIO()
    records = csv.writer(written)
    records.writerows([_cell(row[column]) for column in columns] for row in rows)
    return written.getvalue().encode()


def csv_head(columns: Sequence[str]) -> bytes:
    """Write the first record: the names of the columns."""
    return csv_text([{column: column for column in columns}], columns)


def safe_cell(text: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return safe_cell(value)
    return safe_cell(json_text(value).decode().strip('"'))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not shown over HTTP")
