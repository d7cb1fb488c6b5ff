"""The editor: a draft that lives in the browser, tried in the runner, saved as an event.

A hook that git owns is changed by a commit, with the other files of its folder; a new one is kept
by this server or committed to a repository, as its author chooses.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.responses import Response

from app.application.contracts import contract_in, contracts_in
from app.application.views import HookRow
from app.domain.contracts import TriggerContract
from app.domain.drafts import API_LANGUAGE, HookDraft, HookPatch
from app.domain.errors import Conflict, HookledgerError, NotFound, Problem, Rejected
from app.domain.outcomes import SCRIPT_FILES, Language
from app.web.dashboard.hook_files import HookFile, files_of, first_files, writable_sources
from app.web.dashboard.hook_lookup import hook_of, is_ours
from app.web.dashboard.invocation_page import recorded_of
from app.web.dashboard.pages import Page, Visit
from app.web.dashboard.rendering import indented
from app.web.dashboard.starters import starter
from app.web.parameters import choice, text
from app.web.problems import type_of

CREATE = "create:hooks"
"""The scope that lets this server keep a new hook; one that git keeps takes ``COMMIT``."""


async def edit(visit: Visit) -> Response:
    """Show the editor for a hook."""
    hook = hook_of(visit)
    contract = contract_in(visit.table, hook.trigger)
    recorded = await _recorded_payload(visit, hook) if visit.values["invocation"] else None
    return show(
        visit,
        contract,
        hook.script,
        hook=hook,
        dependencies=hook.dependencies,
        recorded=recorded,
        files=await files_of(visit, hook),
    )


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
    """Show the editor for a hook that does not exist yet, where this person may create one."""
    places = writable_sources(visit)
    source = visit.values["source"]
    if source is None and not visit.may(CREATE):
        if not places:
            visit.require(CREATE)
        source = places[0]
    if source is not None and source not in places:
        raise NotFound(f"There is no source `{source[:80]}` that you may commit to from here.")
    language = visit.values["language"] or API_LANGUAGE if source else API_LANGUAGE
    contracts = {each.id: each for each in contracts_in(visit.table) if language in each.languages}
    chosen = contracts.get(visit.values["trigger"] or "")
    if chosen is None:
        return visit.render(
            "new_hook.html",
            contracts=list(contracts.values()),
            table=visit.table,
            places=places,
            source=source,
            language=language,
        )
    return show(
        visit,
        chosen,
        starter(chosen, language),
        language=language,
        source=source,
        files=first_files(visit, chosen) if source else None,
    )


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
        return show(visit, contract, form.text("script"), error=error)
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


def show(
    visit: Visit,
    contract: TriggerContract,
    script: str,
    *,
    hook: HookRow | None = None,
    language: Language = API_LANGUAGE,
    source: str | None = None,
    dependencies: Mapping[str, str] = MappingProxyType({}),
    error: HookledgerError | None = None,
    recorded: str | None = None,
    files: Sequence[HookFile] | None = None,
) -> Response:
    """Show the editor: of ``hook``, or of a new one that goes to ``source`` if that is given."""
    language = hook.language if hook is not None else language
    file = SCRIPT_FILES[language]
    return visit.render(
        "editor.html",
        status=200 if error is None else type_of(error).status,
        hook=hook,
        contract=contract,
        ours=source is None if hook is None else is_ours(hook),
        source=source,
        files=files,
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
        scope="read:hooks",
        section=_SECTION,
        parameters=(
            text("trigger", "What it is for."),
            text("source", "Repository to commit it to; without, this server keeps it."),
            choice("language", "What it is written in.", tuple(SCRIPT_FILES)),
        ),
    ),
    Page(path="/new-hook", handle=create, scope=CREATE, method="POST", section=_SECTION),
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
