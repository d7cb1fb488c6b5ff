"""Every hook, by trigger and name; searched and in pages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from starlette.responses import Response

from app.application.invoking.contracts import contracts_in
from app.application.views import HookRow
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.hooks.editor import CREATE
from app.web.dashboard.hooks.hook_files import writable_sources
from app.web.dashboard.hooks.hook_lookup import lacking
from app.web.protocol.parameters import CURSOR, choice, text

PAGE_SIZE = 50


async def show(visit: Visit) -> Response:
    """Show a page of the hooks that are looked for."""
    values = visit.values
    contracts = {contract.id: contract for contract in contracts_in(visit.table)}
    order = {trigger: place for place, trigger in enumerate(contracts)}
    found = sorted(
        (hook for hook in visit.table.hooks.values() if _is(hook, values)),
        key=lambda hook: (order.get(hook.trigger, len(order)), not hook.enabled, hook.name),
    )
    first = first_shown(values["cursor"])
    shown = found[first : first + PAGE_SIZE]
    groups = [
        (contracts.get(trigger), trigger, list(hooks))
        for trigger, hooks in groupby(shown, key=lambda hook: hook.trigger)
    ]
    return visit.render(
        "hook_rows.html" if visit.by_htmx else "hook_list.html",
        groups=groups,
        contracts=list(contracts.values()),
        total=len(found),
        exist=len(visit.table.hooks),
        first=first,
        last=first + len(shown),
        size=PAGE_SIZE,
        values=values,
        lacking=lacking,
        creates=visit.may(CREATE) or bool(writable_sources(visit)),
    )


def _is(hook: HookRow, values: Mapping[str, Any]) -> bool:
    words = (values["text"] or "").lower().split()
    state = values["state"]
    return (
        all(word in hook.name or word in (hook.path or "").lower() for word in words)
        and values["trigger"] in (None, hook.trigger)
        and (state != "enabled" or hook.enabled)
        and (state != "disabled" or not hook.enabled)
        and (state != "attention" or hook.break_glass or bool(lacking(hook)))
    )


def first_shown(cursor: str | None) -> int:
    """Return the place in a list at which the page begins that a cursor asks for."""
    return int(cursor) if cursor is not None and cursor.isdecimal() and len(cursor) < 8 else 0  # noqa: PLR2004


PAGES = (
    Page(
        path="/hooks",
        handle=show,
        scope="read:hooks",
        section="/hooks",
        parameters=(
            text("text", "Words that the name or folder holds."),
            text("trigger", "Only of this trigger."),
            choice("state", "Only these.", ("enabled", "disabled", "attention")),
            CURSOR,
        ),
    ),
)
