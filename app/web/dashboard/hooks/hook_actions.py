"""What is done to a hook: stop and start it, write its secrets, delete it."""

from __future__ import annotations

from starlette.responses import Response

from app.application.views import HookRow
from app.domain.errors import Problem, Rejected
from app.domain.manifests.drafts import HookPatch
from app.web.dashboard.frame.pages import Handle, Page, Visit
from app.web.dashboard.hooks.hook_lookup import hook_of

_MAX_REASON = 500


async def disable(visit: Visit) -> Response:
    """Stop a hook at once, whoever owns it."""
    hook = hook_of(visit)
    await visit.services.writer.update(
        hook.id, HookPatch(enabled=False), visit.meta(reason_of(visit, required=True))
    )
    return visit.go(
        f"/hooks/{hook.name}", f"`{hook.name}` is stopped: {hook.trigger} does not run it."
    )


async def enable(visit: Visit) -> Response:
    """Let a hook answer its trigger."""
    hook = hook_of(visit)
    await visit.services.writer.update(
        hook.id, HookPatch(enabled=True), visit.meta(reason_of(visit, required=False))
    )
    return visit.go(f"/hooks/{hook.name}", f"`{hook.name}` is enabled: {hook.trigger} runs it.")


async def set_secret(visit: Visit) -> Response:
    """Set or replace a secret."""
    hook = hook_of(visit)
    done = await write_secret(visit, hook)
    return visit.go(f"/hooks/{hook.name}#secrets", f"{done}.")


async def write_secret(visit: Visit, hook: HookRow) -> str:
    """Set or replace the secret that a form brings; return what was done, in words."""
    name = visit.form.required("name", "The secret's name")
    value = visit.form.text("value")
    if not value:
        raise Rejected(
            "The secret's value is missing.", problems=[Problem("must not be empty", key="value")]
        )
    writer = visit.services.writer
    write = writer.change_secrets if name in hook.secrets else writer.add_secrets
    await write(hook.id, {name: value}, visit.meta())
    verb = "replaced" if name in hook.secrets else "set"
    return f"Secret `{name}` is {verb}"


async def remove_secret(visit: Visit) -> Response:
    """Remove a secret; its value is destroyed."""
    hook = hook_of(visit)
    name = visit.form.required("name", "The secret's name")
    await visit.services.writer.remove_secrets(hook.id, [name], visit.meta())
    return visit.go(f"/hooks/{hook.name}#secrets", f"Secret `{name}` is removed.")


async def delete(visit: Visit) -> Response:
    """Delete a hook that git does not own; raises ``OwnedBySource`` for others."""
    hook = hook_of(visit)
    await visit.services.writer.delete(hook.id, visit.meta(reason_of(visit, required=False)))
    return visit.go("/hooks", f"`{hook.name}` is deleted; its history stays.")


def reason_of(visit: Visit, *, required: bool) -> str:
    """Return why; raise ``Rejected`` if it is missing or too long."""
    reason = visit.form.word("reason")
    if required and not reason:
        problem = Problem("must say why, for those who read the history", key="reason")
        raise Rejected("The reason is missing.", problems=[problem])
    if len(reason) > _MAX_REASON:
        problem = Problem(f"must have at most {_MAX_REASON} characters", key="reason")
        raise Rejected("The reason is too long.", problems=[problem])
    return reason


def _page(action: str, handle: Handle, scope: str) -> Page:
    return Page(
        path=f"/hooks/{{hook}}/{action}",
        handle=handle,
        scope=scope,
        method="POST",
        section="/hooks",
    )


PAGES = (
    _page("disable", disable, "update:hooks"),
    _page("enable", enable, "update:hooks"),
    _page("secrets", set_secret, "update:hooks"),
    _page("secrets/remove", remove_secret, "delete:hooks"),
    _page("delete", delete, "delete:hooks"),
)
