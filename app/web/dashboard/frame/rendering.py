"""Templates: found beside the rooms, escaping everything, with a few ways to write values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from app.domain.triggers.recording import MASKED
from app.web.dashboard.frame.assets import Assets
from app.web.dashboard.frame.headers import protect

_TEMPLATES = Path(__file__).parents[1] / "templates"

_BRIEF = 120
"""Characters."""
NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""


class Renderer:
    """Makes pages of templates; one for the server."""

    def __init__(self, assets: Assets, version: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "moment": moment,
            "ago": ago,
            "clock": clock,
            "day": day,
            "short": short,
            "count": count,
            "many": many,
            "brief": brief,
            "bytes": size,
            "milliseconds": milliseconds,
            "share": share,
            "browser": browser,
            "json": indented,
            "masked": masked,
        }
        self._environment.globals |= {
            "asset": assets.address,
            "built": assets.built,
            "version": version,
        }

    def page(
        self, template: str, values: Mapping[str, Any], *, nonce: str, status: int = 200
    ) -> HTMLResponse:
        """Make a whole page, or a part of one for htmx to put in its place."""
        text = self._environment.get_template(template).render(values, nonce=nonce)
        response = HTMLResponse(text, status)
        protect(response, nonce)
        return response


def moment(at: datetime | None) -> Markup:
    """Write a time; a script shows it in the reader's zone."""
    return _time(at, "full")


def ago(at: datetime | None) -> Markup:
    """Write a time; a script shows how long ago that is."""
    return _time(at, "ago")


def clock(at: datetime | None) -> Markup:
    """Write a time; a script leaves the date away if it is today's."""
    return _time(at, "clock")


def day(at: datetime | None) -> Markup:
    """Write a day of UTC; a script shows it as the reader writes days."""
    return _time(at, "day")


def short(commit: str | None) -> str:
    """Shorten a commit's id as git does."""
    return commit[:7] if commit else NOTHING


def count(number: int) -> str:
    """Write a number with thousands apart, by a narrow blank that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def many(number: int, word: str) -> str:
    """Write how many there are of what ``word`` names in the singular."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def brief(value: object) -> str:
    """Write the value of a field in a line: JSON, cut where it grows long."""
    if value is None or value == "":
        return NOTHING
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}\N{HORIZONTAL ELLIPSIS}"


def size(number: int) -> str:
    """Write a number of bytes."""
    return f"{number / 1024:.1f} KiB" if number >= 1024 else many(number, "byte")  # noqa: PLR2004


def milliseconds(value: float | None) -> str:
    """Write a duration with as many digits as matter."""
    if value is None:
        return NOTHING
    if value >= 1000:  # noqa: PLR2004 (a second)
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"  # noqa: PLR2004 (three digits)


def share(value: float | None) -> str:
    """Write a part of one as a percentage; little is not nothing."""
    if value is None:
        return NOTHING
    if 0 < value < 0.001:  # noqa: PLR2004 (below what is shown)
        return "< 0.1 %"
    return f"{value * 100:.1f} %" if value else "0 %"


def browser(agent: str) -> str:
    """Name the browser and system of a user agent, as far as it says; others claim to be them."""
    found = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " on ".join(filter(None, (found, system))) or agent[:40] or "unknown"


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chromium"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
)
"""What they all say stands behind what only some do."""


def indented(value: Any) -> str:
    """Write JSON for people."""
    option = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    return orjson.dumps(value, default=dict, option=option).decode()


def masked(text: str) -> Markup:
    """Mark what stands for something that was masked."""
    return escape(text).replace(MASKED, Markup("<mark>{}</mark>").format(MASKED))


def _time(at: datetime | None, show: str) -> Markup:
    if at is None:
        return escape(NOTHING)
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" data-show="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        show,
        utc.strftime("%Y-%m-%d %H:%M:%S UTC"),
    )
