"""Guards: what keeps a plan that is in order from being applied by itself."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.plans.plan import ActiveHook, ChangeKind, Plan
from app.domain.sources.sync_policy import Approval, ForcePush, SyncPolicy
from app.domain.sources.sync_windows import is_open, opens_at


class Guard(enum.StrEnum):
    """The rule that holds a plan."""

    EMPTY = "empty"
    """It would leave the source without hooks."""
    DELETIONS = "deletions"
    """It would retire more hooks than one commit may."""
    PRUNE = "prune"
    """It would retire a hook that asked for a question first."""
    FORCE_PUSH = "force-push"
    """The applied commit is no ancestor of this one."""
    WINDOW = "window"
    """Commits do not go live at this time."""
    APPROVAL = "approval"
    """Every plan waits for a person."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One guard that holds a plan, and why."""

    guard: Guard
    message: str
    until: datetime | None = None
    """When it ends by itself; None: never, or that is not to be foreseen."""

    def described(self) -> dict[str, Any]:
        """Return the members as they are stored and shown."""
        until = self.until.isoformat() if self.until else None
        return {"guard": str(self.guard), "message": self.message, "until": until}


def holds_of(
    plan: Plan,
    active: Collection[ActiveHook],
    policy: SyncPolicy,
    *,
    owned: Callable[[], int],
    forced: bool,
    now: datetime,
) -> tuple[Hold, ...]:
    """Return every guard that holds ``plan``; a plan that changes nothing is never held.

    ``active`` are at least those hooks of the source that the plan retires, ``owned`` counts all
    that it has now; ``forced`` says that the applied commit is no ancestor of the plan's.
    """
    if not plan.changes:
        return ()
    return (
        *_deletions(plan, owned, policy),
        *_confirmations(plan, active),
        *_force_push(plan, policy, forced=forced),
        *_window(policy, now),
        *_approval(policy),
    )


def _deletions(plan: Plan, owned: Callable[[], int], policy: SyncPolicy) -> Iterator[Hold]:
    retired = plan.counts[ChangeKind.RETIRE]
    if not retired:
        return
    present = owned()
    if not policy.allow_empty and retired == present and not plan.counts[ChangeKind.CREATE]:
        yield Hold(Guard.EMPTY, f"it would retire every hook of this source ({present})")
    allowed = policy.deletions_allowed(present)
    if retired > allowed:
        yield Hold(
            Guard.DELETIONS,
            f"it would retire {retired} of {present} hooks; at most {allowed} go by themselves",
        )


def _confirmations(plan: Plan, active: Collection[ActiveHook]) -> Iterator[Hold]:
    asking = {hook.id for hook in active if hook.settings.get("prune") == "confirm"}
    for change in plan.changes:
        if change.kind is ChangeKind.RETIRE and change.hook_id in asking:
            yield Hold(
                Guard.PRUNE,
                f'it would retire the hook `{change.name}`, which says `prune = "confirm"`',
            )


def _force_push(plan: Plan, policy: SyncPolicy, *, forced: bool) -> Iterator[Hold]:
    if forced and policy.on_force_push is ForcePush.HOLD:
        yield Hold(
            Guard.FORCE_PUSH,
            f"commit {plan.commit[:12]} does not come after the one in force: history was "
            "rewritten, or is cut short",
        )


def _window(policy: SyncPolicy, now: datetime) -> Iterator[Hold]:
    if not is_open(policy.windows, now):
        opening = opens_at(policy.windows, now)
        when = f"the next time is {opening:%Y-%m-%d %H:%M} UTC" if opening else "none is in sight"
        yield Hold(Guard.WINDOW, f"no commits go live at this time; {when}", opening)


def _approval(policy: SyncPolicy) -> Iterator[Hold]:
    if policy.approval is Approval.MANUAL:
        yield Hold(Guard.APPROVAL, "every plan of this source waits for an approval")
