"""Times on the command line: an instant, or how long from now, or ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

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


def past_moment(given: str) -> datetime:
    """Read a time that was, for an option; one without a zone is taken as the reader's own."""
    if given == "now":
        return utc_now()
    try:
        match = _SPAN.match(given)
        moment = utc_now() - _span(match) if match else datetime.fromisoformat(given)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "write a day (2026-11-01), a time (2026-11-01T08:00:00Z; without a zone it is this "
            "machine's), or how long ago: 90m, 2h, 3d"
        ) from None


def moment_text(given: str) -> str:
    """Give a time its zone, this machine's, and how long ago a time; leave other moments alone."""
    if _SPAN.match(given) or "-" in given:
        return past_moment(given).isoformat()
    return given


def past_option(help_text: str) -> Any:
    """Return an option that takes a time that was."""
    return typer.Option(parser=past_moment, metavar="TIME", help=help_text)


Since = Annotated[datetime | None, past_option("Not before this time, or not so long ago: 2h.")]
Until = Annotated[datetime | None, past_option("Before this time.")]


def _span(match: re.Match[str]) -> timedelta:
    return int(match[1]) * _UNITS[match[2]]


def moment_of(given: str | None) -> datetime | None:
    """Read ``--until``; raise ``Rejected`` for what is neither, or has passed."""
    if given is None:
        return None
    now = utc_now()
    try:
        match = _SPAN.match(given)
        moment = now + _span(match) if match else datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise _refused("write 90m, 2h or 3d, or a time such as 2026-12-01T08:00:00Z") from None
    if moment.tzinfo is None:
        raise _refused("a time needs its zone, such as Z or +01:00 at its end")
    if moment <= now:
        raise _refused("must be in the future")
    return moment.astimezone(UTC)


def _refused(message: str) -> Rejected:
    return Rejected("That time cannot be used.", problems=[Problem(message, key="--until")])
