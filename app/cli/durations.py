"""Times on the command line: an instant, or how long from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.bootstrap.ambient import utc_now
from app.domain.errors import Problem, Rejected

UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help="When it ends by itself: 90m, 2h, 3d from now, or 2026-12-01T08:00:00Z.",
        show_default=False,
    ),
]

_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])\Z")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def moment_of(given: str | None) -> datetime | None:
    """Read ``--until``; raise ``Rejected`` for what is neither, or has passed."""
    if given is None:
        return None
    now = utc_now()
    try:
        match = _SPAN.match(given)
        moment = now + int(match[1]) * _UNITS[match[2]] if match else datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise _refused("write 90m, 2h or 3d, or a time such as 2026-12-01T08:00:00Z") from None
    if moment.tzinfo is None:
        raise _refused("a time needs its zone, such as Z or +01:00 at its end")
    if moment <= now:
        raise _refused("must be in the future")
    return moment.astimezone(UTC)


def _refused(message: str) -> Rejected:
    return Rejected("That time cannot be used.", problems=[Problem(message, key="--until")])
