"""Compare what a commit says of triggers with what is in force; part of ``planning``."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from app.domain.errors import Problem
from app.domain.plans.plan import ActiveHook, ActiveTrigger, Change, ChangeKind, DesiredState
from app.domain.triggers.catalogue import RESERVED
from app.domain.triggers.repository_settings import REPOSITORY_SETTINGS


def definition_file(trigger: str) -> str:
    """Name the file that says what a trigger is."""
    return REPOSITORY_SETTINGS if trigger in RESERVED else f"triggers/{trigger}.toml"


def chains_of(desired: DesiredState, triggers: Collection[ActiveTrigger]) -> frozenset[str]:
    """Name the triggers that will run several hooks in turn."""
    if desired.triggers is not None:
        return frozenset(wanted.id for wanted in desired.triggers if wanted.mode == "chain")
    return frozenset(known.id for known in triggers if known.is_chain)


def trigger_clashes(
    desired: DesiredState,
    hooks: Collection[ActiveHook],
    triggers: Collection[ActiveTrigger],
    owner: str,
    kept: Collection[str] = (),
) -> Iterator[Problem]:
    """Find definitions that contradict another owner's, or that hooks need which are ``kept``."""
    foreign = {known.id: known for known in triggers if known.owner != owner}
    for wanted in desired.triggers or ():
        if wanted.id in foreign:
            message = (
                f"the trigger `{wanted.id}` is defined by `{foreign[wanted.id].owner}` already"
            )
            yield Problem(message, file=definition_file(wanted.id))
    for gone in _gone(desired, triggers, owner):
        left = sorted(
            hook.name
            for hook in hooks
            if hook.trigger == gone.id and (hook.owner != owner or hook.name in kept)
        )
        if left and gone.id not in RESERVED:
            yield Problem(
                f"the trigger `{gone.id}` was removed, but hooks that stay need it: "
                f"{', '.join(left)}; delete them first",
                file=definition_file(gone.id),
            )


def trigger_changes(
    desired: DesiredState, triggers: Collection[ActiveTrigger], owner: str
) -> Iterator[Change]:
    """Say which definitions come, change and go."""
    known = {trigger.id: trigger for trigger in triggers}
    for wanted in desired.triggers or ():
        if wanted.id not in known or known[wanted.id].definition != wanted.text:
            yield Change(
                ChangeKind.DEFINE,
                wanted.id,
                wanted.id,
                definition_file(wanted.id),
                None,
                definition=wanted,
            )
    for gone in _gone(desired, triggers, owner):
        yield Change(ChangeKind.UNDEFINE, gone.id, gone.id, definition_file(gone.id), None)


def _gone(
    desired: DesiredState, triggers: Collection[ActiveTrigger], owner: str
) -> Iterator[ActiveTrigger]:
    if desired.triggers is None:
        return
    wanted = {definition.id for definition in desired.triggers}
    yield from (known for known in triggers if known.owner == owner and known.id not in wanted)
