"""JSON Schemas of custom triggers, compiled once and asked for every payload.

Schemas come from a repository, so they are hostile: nothing is fetched for a ``$ref``, and patterns
run on an engine whose time is linear (without look-around and back-references).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

from app.domain.errors import Problem, Rejected

Complaint = Callable[[object], str | None]
"""Says what is wrong with a value, or None."""

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
_MAX_SHOWN = 300


def compile_schema(schema: Mapping[str, Any], what: str) -> Complaint:
    """Return what checks values; ``what`` names the value in its sentences.

    Raises ``Rejected`` if the schema is not one (JSON Schema 2020-12 unless ``$schema`` says so).
    """
    try:
        validator = jsonschema_rs.validator_for(
            dict(schema), offline=True, pattern_options=_PATTERNS, validate_formats=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        message = f"is no usable JSON Schema: {_first_line(error)}"
        raise Rejected("The schema cannot be used.", problems=[Problem(message)]) from error

    def complain(value: object) -> str | None:
        error = next(iter(validator.iter_errors(value)), None)
        if error is None:
            return None
        place = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path
        )
        return f"{what}{place}: {_first_line(error)}"

    return lambda value: None if validator.is_valid(value) else complain(value)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", error)).split("\n", 1)[0]
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
