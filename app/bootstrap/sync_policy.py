"""From settings to the rules of a source."""

from __future__ import annotations

from datetime import timedelta

from app.domain.errors import Problem, Rejected
from app.domain.sources.sync_policy import Approval, ForcePush, SyncPolicy
from app.domain.sources.sync_windows import SyncWindow
from config.tables import SyncPolicySettings


def sync_policy(settings: SyncPolicySettings) -> SyncPolicy:
    """Make the rules; raise ``Rejected`` with every window that cannot be used."""
    windows, problems = [], []
    for number, window in enumerate(settings.windows):
        try:
            windows.append(
                SyncWindow(
                    window.kind,
                    window.schedule,
                    timedelta(hours=window.hours),
                    window.time_zone,
                )
            )
        except Rejected as refusal:
            problems += [
                Problem(problem.message, key=f"sync_policy.windows[{number}].{problem.key}")
                for problem in refusal.problems
            ]
    if problems:
        raise Rejected("These settings are not usable:", problems=problems)
    return SyncPolicy(
        approval=Approval(settings.approval),
        on_force_push=ForcePush(settings.on_force_push),
        allow_empty=settings.allow_empty,
        max_deletions=settings.max_deletions,
        max_deletions_percent=settings.max_deletions_percent,
        windows=tuple(windows),
        compare_every=timedelta(seconds=settings.compare_interval),
        heal=settings.heal,
    )
