"""The editor: a draft that lives in the browser, tried in the runner, saved as an event.

A hook that git owns is changed by a commit; its draft can be copied and downloaded, with the name
of the file to commit.
"""

from __future__ import annotations

import posixpath

from starlette.responses import Response

from app.application.contracts import contract_in, contracts_in
from app.application.views import HookRow
from app.domain.contracts import TriggerContract
from app.domain.drafts import API_LANGUAGE, HookDraft, HookPatch
from app.domain.errors import Conflict, HookledgerError, NotFound, Problem, Rejected
from app.domain.outcomes import SCRIPT_FILES
from app.web.dashboard.hook_lookup import hook_of, is_ours
from app.web.dashboard.invocation_page import recorded_of
from app.web.dashboard.pages import Page, Visit
from app.web.dashboard.rendering import indented
from app.web.dashboard.starters import starter
from app.web.parameters import text
from app.web.problems import type_of


async def edit(visit: Visit) -> Response:
    """Show the editor for a hook."""
    hook = hook_of(visit)
    contract = contract_in(visit.table, hook.trigger)
    recorded = await _recorded_payload(visit, hook) if visit.values["invocation"] else None
    return _show(visit, hook, contract, hook.script, hook.dependencies, recorded=recorded)


async def save(visit: Visit) -> Response:
    """Save a draft of a hook that this server keeps; raises ``OwnedBySource`` for others."""
    hook, form = hook_of(visit), visit.form
    if form.text("digest") != hook.digest:
        raise Conflict(
            f"Somebody changed `{hook.name}` since you opened it. Your draft is still in this "
            "browser: open the editor again and compare."
        )
    patch = HookPatch(
        script=form.text("script"), dependencies=read_dependencies(form.text("dependencies"))
    )
    await visit.services.writer.update(hook.id, patch, visit.meta(form.word("reason")))
    return visit.go(f"/hooks/{hook.name}", f"`{hook.name}` is saved, and what is saved runs.")


async def new(visit: Visit) -> Response:
    """Show the editor for a hook that does not exist yet."""
    contracts = {each.id: each for each in contracts_in(visit.table) if _fits(each)}
    chosen = contracts.get(visit.values["trigger"] or "")
    if chosen is None:
        return visit.render("new_hook.html", contracts=list(contracts.values()), table=visit.table)
    return _show(visit, None, chosen, starter(chosen), {})


async def create(visit: Visit) -> Response:
    """Make the hook; what is wrong with it is said beside the draft."""
    form = visit.form
    contract = contract_in(visit.table, form.word("trigger"))
    try:
        made = await visit.services.writer.create(
            HookDraft(
                name=form.word("name"),
                trigger=contract.id,
                script=form.text("script"),
                enabled=form.checked("enabled"),
                dependencies=read_dependencies(form.text("dependencies")),
            ),
            visit.meta(form.word("reason")),
        )
    except HookledgerError as error:
        if visit.by_htmx:
            raise
        return _show(visit, None, contract, form.text("script"), {}, error)
    state = "enabled" if made.enabled else "saved, and not enabled yet"
    return visit.go(f"/hooks/{made.name}", f"`{made.name}` is {state}.")


def read_dependencies(written: str) -> dict[str, str]:
    """Read packages, one a line: a name, blanks, one exact version. Raises ``Rejected``."""
    found, problems = dict[str, str](), list[Problem]()
    for number, line in enumerate(written.splitlines(), 1):
        words = line.split()
        if len(words) == 2:  # noqa: PLR2004 (name and version)
            found[words[0]] = words[1]
        elif words:
            problems.append(
                Problem("must read `name 1.2.3`", key="dependencies", file="packages", line=number)
            )
    if problems:
        raise Rejected("The list of packages cannot be read.", problems=problems)
    return found


async def _recorded_payload(visit: Visit, hook: HookRow) -> str:
    """Return what an invocation gave the hook; raise ``NotFound`` if it was not recorded."""
    found = await recorded_of(visit, visit.values["invocation"])
    payloads = [each.payload for each in found if each.recording.hook_id == hook.id]
    if not payloads or payloads[-1] is None:
        raise NotFound(f"No payload of `{hook.name}` was recorded of that invocation.")
    return payloads[-1]


def _fits(contract: TriggerContract) -> bool:
    return API_LANGUAGE in contract.languages


def _show(
    visit: Visit,
    hook: HookRow | None,
    contract: TriggerContract,
    script: str,
    dependencies: object,
    error: HookledgerError | None = None,
    recorded: str | None = None,
) -> Response:
    language = hook.language if hook is not None else API_LANGUAGE
    file = SCRIPT_FILES[language]
    return visit.render(
        "editor.html",
        status=200 if error is None else type_of(error).status,
        hook=hook,
        contract=contract,
        ours=hook is None or is_ours(hook),
        script=script,
        language=language,
        dependencies=dependencies,
        form=visit.form,
        error=error,
        payload=indented(contract.example),
        recorded=recorded,
        file=posixpath.join(hook.path, file) if hook is not None and hook.path else file,
    )


_SECTION = "/hooks"

PAGES = (
    Page(
        path="/new-hook",
        handle=new,
        scope="create:hooks",
        section=_SECTION,
        parameters=(text("trigger", "What it is for."),),
    ),
    Page(path="/new-hook", handle=create, scope="create:hooks", method="POST", section=_SECTION),
    Page(
        path="/hooks/{hook}/edit",
        handle=edit,
        scope="read:hooks",
        section=_SECTION,
        parameters=(text("invocation", "Whose recorded payload to try it with."),),
    ),
    Page(
        path="/hooks/{hook}/edit",
        handle=save,
        scope="update:hooks",
        method="POST",
        section=_SECTION,
    ),
)
