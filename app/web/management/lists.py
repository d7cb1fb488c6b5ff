"""Lists in Auth0's two shapes, cut into pages, and objects cut down to the fields asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.web.protocol.parameters import Parameter, flag, text

DEFAULT_PER_PAGE = 50
MAX_PER_PAGE = 100


def _whole_number(name: str, description: str, most: int) -> Parameter:
    def parse(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", given) or int(given) > most:
            raise ValueError(f"must be a whole number from 0 to {most}")
        return int(given)

    return Parameter(name, description, {"type": "integer", "minimum": 0, "maximum": most}, parse)


FIELDS = (
    text("fields", "Names of members, separated by commas; others are left out."),
    flag("include_fields", "Whether `fields` are shown (default) or left out."),
)
PAGES = (
    _whole_number("page", "Number of the page, from 0 on.", 10**9 - 1),
    _whole_number("per_page", f"Items of a page; {DEFAULT_PER_PAGE} if not given.", MAX_PER_PAGE),
    flag("include_totals", "Whether the answer is an object with totals, or the bare array."),
)


def listed(name: str, items: Sequence[Any], values: Mapping[str, Any]) -> Any:
    """Answer one page, or everything if no page is asked for, as older clients expect it."""
    page, per_page = values["page"], values["per_page"]
    if page is None and per_page is None:
        start, limit = 0, max(len(items), DEFAULT_PER_PAGE)
    else:
        limit = DEFAULT_PER_PAGE if per_page is None else per_page
        start = (page or 0) * limit
    shown = [chosen(item, values) for item in items[start : start + limit]]
    if not values["include_totals"]:
        return shown
    return {"total": len(items), "start": start, "limit": limit, name: shown}


def chosen(item: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep the fields asked for, or all but them; names that are no fields match nothing."""
    if values["fields"] is None:
        return item
    named = {name.strip() for name in values["fields"].split(",")}
    wanted = values["include_fields"] is not False
    return {name: value for name, value in item.items() if (name in named) is wanted}
