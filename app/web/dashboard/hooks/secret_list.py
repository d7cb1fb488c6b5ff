"""Every secret that hooks require or hold, by name: what is missing stands first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from app.application.invoking.contracts import contracts_in
from app.application.views import HookRow
from app.domain.hooks.hook import HookNotFound
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.hooks.hook_actions import write_secret
from app.web.dashboard.hooks.hook_list import first_shown
from app.web.dashboard.hooks.hook_lookup import lacking
from app.web.protocol.parameters import CURSOR, choice, text

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Need:
    """A secret of one hook: its value is nowhere here."""

    name: str
    hook: HookRow

    @property
    def is_set(self) -> bool:
        return self.name in self.hook.secrets

    @property
    def required(self) -> bool:
        """Whether the hook's manifest asks for it."""
        return self.name in self.hook.settings.get("required_secrets", ())

    @property
    def urgency(self) -> tuple[bool, bool, str, str]:
        """What sorts it: missing ones first, of those the ones of hooks that run."""
        return self.is_set, not (self.is_set or self.hook.enabled), self.name, self.hook.name


async def show(visit: Visit) -> Response:
    """Show a page of the secrets that are looked for."""
    values, hooks = visit.values, visit.table.hooks.values()
    every = [need for hook in hooks for need in _needs(hook)]
    found = sorted((need for need in every if _is(need, values)), key=lambda need: need.urgency)
    first = first_shown(values["cursor"])
    return visit.render(
        "secret_rows.html" if visit.by_htmx else "secret_list.html",
        needs=found[first : first + PAGE_SIZE],
        contracts=list(contracts_in(visit.table)),
        total=len(found),
        exist=len(every),
        missing=sum(not need.is_set for need in every if need.hook.enabled),
        first=first,
        last=min(first + PAGE_SIZE, len(found)),
        size=PAGE_SIZE,
        values=values,
    )


async def set_value(visit: Visit) -> Response:
    """Set or replace a secret of the hook that the form names."""
    named = visit.form.required("hook", "The hook's name")
    hook = visit.table.find_hook(named)
    if hook is None:
        raise HookNotFound(f"There is no hook `{named[:80]}` now; it may be renamed or deleted.")
    done = await write_secret(visit, hook)
    return visit.go("/secrets", f"{done} for `{hook.name}`.")


def _needs(hook: HookRow) -> Iterator[Need]:
    for name in (*lacking(hook), *hook.secrets):
        yield Need(name, hook)


def _is(need: Need, values: Mapping[str, Any]) -> bool:
    words, state = (values["text"] or "").lower().split(), values["state"]
    return (
        all(word in need.name.lower() or word in need.hook.name for word in words)
        and values["trigger"] in (None, need.hook.trigger)
        and (state != "missing" or not need.is_set)
        and (state != "set" or need.is_set)
        and (state != "extra" or not need.required)
    )


PAGES = (
    Page(
        path="/secrets",
        handle=show,
        scope="read:hooks",
        section="/secrets",
        parameters=(
            text("text", "Words that the secret's or the hook's name holds."),
            text("trigger", "Only of hooks of this trigger."),
            choice("state", "Only these.", ("missing", "set", "extra")),
            CURSOR,
        ),
    ),
    Page(
        path="/secrets",
        handle=set_value,
        scope="update:hooks",
        method="POST",
        section="/secrets",
    ),
)
