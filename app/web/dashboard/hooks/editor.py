"""The editor: a draft that lives in the browser, tried in the runner, saved as an event.

A hook that git owns is changed by a commit, with the other files of its folder; a new one is kept
by this server or committed to a repository, as its author chooses.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from app.application.invoking.contracts import contract_in, contracts_in
from app.application.views import HookRow
from app.domain.errors import HookledgerError, NotFound, Problem, Rejected
from app.domain.manifests.drafts import API_LANGUAGE, HookDraft, HookPatch
from app.domain.outcomes import SCRIPT_FILES, Language
from app.domain.revisions import CommitSha
from app.domain.triggers.contracts import TriggerContract
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.rendering import indented
from app.web.dashboard.hooks.hook_files import (
    COMMIT,
    HookFolder,
    folder_of,
    full_path,
    kept_here,
    new_folder,
    not_saved,
    require_unchanged,
    with_draft,
    writable_sources,
)
from app.web.dashboard.hooks.hook_lookup import hook_of, is_ours
from app.web.dashboard.journal.invocation_page import recorded_of
from app.web.protocol.parameters import choice, text
from app.web.protocol.problem_types import type_of

CREATE = "create:hooks"
"""The scope that lets this server keep a new hook; one that git keeps takes ``COMMIT``."""

_log = logging.getLogger("hookledger.dashboard")


async def edit(visit: Visit) -> Response:
    """Show the editor for a hook."""
    hook = hook_of(visit)
    recorded = await _recorded_payload(visit, hook) if visit.values["invocation"] else None
    return await show_hook(visit, hook, recorded=recorded)


async def save(visit: Visit) -> Response:
    """Save a draft of a hook that this server keeps; raises ``OwnedBySource`` for others."""
    hook, form = hook_of(visit), visit.form
    try:
        folder = with_draft(kept_here(hook.script, hook.language, hook.dependencies), form)
        require_unchanged(folder)
        patch = HookPatch(
            script=folder.script.text,
            dependencies=read_dependencies(folder.packages.text if folder.packages else ""),
        )
        await visit.services.writer.update(hook.id, patch, visit.meta(form.word("reason")))
    except HookledgerError as error:
        if visit.by_htmx or not is_ours(hook):
            raise
        return await show_hook(visit, hook, error=error)
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
    return show_new(visit, chosen, language=language, source=source)


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
        return show_new(visit, contract, error=error)
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


async def show_hook(
    visit: Visit,
    hook: HookRow,
    *,
    error: HookledgerError | None = None,
    recorded: str | None = None,
) -> Response:
    """Show the editor of a hook as it is now, with what a refused form has made of it."""
    contract = contract_in(visit.table, hook.trigger)
    folder, unread = await _folder(visit, hook)
    return _show(
        visit,
        contract,
        with_draft(folder, visit.form),
        hook=hook,
        language=hook.language,
        error=error,
        unread=unread,
        recorded=recorded,
    )


def show_new(
    visit: Visit,
    contract: TriggerContract,
    *,
    language: Language = API_LANGUAGE,
    source: str | None = None,
    error: HookledgerError | None = None,
) -> Response:
    """Show the editor of a hook that ``source``, or else this server, shall keep."""
    folder = (
        new_folder(visit, contract, language)
        if source is not None
        else not_saved(contract, language)
    )
    return _show(
        visit,
        contract,
        with_draft(folder, visit.form),
        language=language,
        source=source,
        error=error,
    )


async def _folder(visit: Visit, hook: HookRow) -> tuple[HookFolder, str]:
    """Return what can be seen of the hook's files, and why that is not all."""
    known = kept_here(hook.script, hook.language, hook.dependencies)
    source = hook.owner.partition(":")[2]
    if hook.path is None or source not in writable_sources(visit):
        return known, ""
    try:
        return folder_of(hook, await visit.services.committers[source].read(hook.path)), ""
    except HookledgerError as error:
        _log.info("folder_not_shown", extra={"hook": hook.name, "reason": str(error)})
        return known, error.message


async def _recorded_payload(visit: Visit, hook: HookRow) -> str:
    """Return what an invocation gave the hook; raise ``NotFound`` if it was not recorded."""
    found = await recorded_of(visit, visit.values["invocation"])
    payloads = [each.payload for each in found if each.recording.hook_id == hook.id]
    if not payloads or payloads[-1] is None:
        raise NotFound(f"No payload of `{hook.name}` was recorded of that invocation.")
    return payloads[-1]


def _show(
    visit: Visit,
    contract: TriggerContract,
    folder: HookFolder,
    *,
    language: Language,
    hook: HookRow | None = None,
    source: str | None = None,
    error: HookledgerError | None = None,
    unread: str = "",
    recorded: str | None = None,
) -> Response:
    return visit.render(
        "editor.html",
        status=200 if error is None else type_of(error).status,
        hook=hook,
        contract=contract,
        ours=source is None if hook is None else is_ours(hook),
        source=source,
        folder=folder,
        unread=unread,
        language=language,
        form=visit.form,
        error=error,
        payload=indented(contract.example),
        recorded=recorded,
        file=full_path(hook, folder.script),
        ahead=_ahead(visit, hook, folder),
        commits=folder.open and visit.may(COMMIT),
    )


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The commit that the editor shows, which is not in force."""

    commit: CommitSha
    problems: Sequence[Mapping[str, Any]]
    """Why it was refused."""


def _ahead(visit: Visit, hook: HookRow | None, folder: HookFolder) -> _Ahead | None:
    if hook is None or folder.commit is None:
        return None
    source = visit.table.sources.get(hook.owner.partition(":")[2])
    if source is None or source.applied == folder.commit:
        return None
    return _Ahead(folder.commit, source.problems if source.rejected == folder.commit else ())


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
