"""After a changed password, log from when on a user's older sessions are to be distrusted.

A log line is all it takes where sessions are swept by whoever reads the log: it names the user and
the instant, and nothing personal.
"""

from datetime import datetime, timedelta, timezone

# Clocks differ: a session begun within this time before the change may be the changer's own.
TOLERANCE = timedelta(seconds=30)


def hook(user, context):
    changed_at = parsed(user.get("last_password_reset"))
    stale_before = (changed_at - TOLERANCE).isoformat(timespec="milliseconds")
    context.log.warning(
        "sessions of user %s begun before %s are stale", user.get("id"), stale_before
    )
    return {"user_id": user.get("id"), "stale_before": stale_before}


def parsed(instant):
    """Read an RFC 3339 time. An error has the run tried again, and shows it if that never helps."""
    if not isinstance(instant, str):
        raise ValueError("user.last_password_reset is missing")
    parsed_instant = datetime.fromisoformat(instant.replace("Z", "+00:00"))
    if parsed_instant.tzinfo is None:
        raise ValueError("user.last_password_reset has no time zone")
    return parsed_instant.astimezone(timezone.utc)
