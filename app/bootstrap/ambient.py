"""Time, ids, and who runs the command: what use cases take as arguments."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from ulid_transform import ulid_now

from app.domain.aggregates import Meta


def utc_now() -> datetime:
    """Return now, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 (the one clock)


def new_id() -> str:
    """Make a ULID: 26 characters, ordered by time."""
    return ulid_now()


def cli_meta(reason: str = "") -> Meta:
    """Say that the person at the command line does it."""
    return Meta(
        actor=f"cli:{user_name()}", origin="cli", correlation_id=new_id(), reason=reason or None
    )


def user_name() -> str:
    """Return who runs this process, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"
