"""What the pages of the journal are asked for: parameters of their addresses, and links onward."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

from app.application.invoking.contracts import contracts_in
from app.domain.outcomes import Level
from app.domain.triggers.contracts import TriggerContract
from app.web.dashboard.frame.pages import Visit
from app.web.protocol.parameters import Parameter, choice, read_moment, text

MOST_NAMES = 500
"""Names of hooks that a field proposes."""

_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?\Z", re.ASCII)
"""What a browser's field for a time sends without scripts: no zone, and seconds only if any."""


def with_zone(given: str) -> str:
    """Complete what a browser's field for a time sent: it is UTC; anything else stays as it is."""
    found = _LOCAL.match(given)
    return given if found is None else f"{given}{'' if found[1] else ':00'}Z"


def _moment(given: str) -> datetime:
    return read_moment(with_zone(given))


def _time(name: str, description: str) -> Parameter:
    return Parameter(name, description, {"type": "string", "format": "date-time"}, _moment)


HOOK = text("hook", "Name of a hook, or its id.")
TRIGGER = text("trigger", "Id of a trigger.")
LEVEL = choice("level", "Only lines of this level.", get_args(Level))
SINCE = _time("since", "Not before this time; without a zone it is UTC.")
UNTIL = _time("until", "Before this time; without a zone it is UTC.")


def field_time(at: datetime | None) -> str:
    """Write a time as a browser's field for one takes it, in UTC; nothing is the empty text."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def query_of(values: Mapping[str, Any], **others: Any) -> str:
    """Write filters as the query of an address; what is not given is left out."""
    merged = {**values, **others}
    return urlencode(
        {
            name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in merged.items()
            if value not in (None, "")
        }
    )


def choices_of(visit: Visit) -> dict[str, Any]:
    """Return what the fields of filters offer, and how they say what was asked."""
    contracts: list[TriggerContract] = list(contracts_in(visit.table))
    return {
        "values": visit.values,
        "contracts": contracts,
        "names": sorted(hook.name for hook in visit.table.hooks.values())[:MOST_NAMES],
        "levels": get_args(Level),
        "field_time": field_time,
        "query_of": query_of,
    }
