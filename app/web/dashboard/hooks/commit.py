"""Drafts of hooks that live in git, or shall, become commits of the person who wrote them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from starlette.responses import Response

from app.application.invoking.contracts import contract_in
from app.application.syncing.commit_files import Author, FileChanges, FileCommitter, Published
from app.application.views import HookRow
from app.domain.callers.people import Person
from app.domain.errors import Conflict, HookledgerError, NotFound
from app.domain.outcomes import SCRIPT_FILES, Language
from app.domain.triggers.contracts import TriggerContract
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.hooks.editor import show_hook, show_new
from app.web.dashboard.hooks.hook_files import (
    COMMIT,
    changed_files,
    folder_of,
    new_folder,
    with_draft,
    writable_sources,
)
from app.web.dashboard.hooks.hook_lookup import hook_of

LANGUAGES: Mapping[str, Language] = {language: language for language in SCRIPT_FILES}


async def commit(visit: Visit) -> Response:
    """Commit the draft, publish it, and show the hook once it is in force."""
    hook = hook_of(visit)
    try:
        published = await _commit(visit, hook)
    except HookledgerError as error:
        if visit.by_htmx:
            raise
        return await show_hook(visit, hook, error=error)
    return visit.go(f"/hooks/{hook.name}", _told(published))


async def _commit(visit: Visit, hook: HookRow) -> Published:
    form, committer = visit.form, _committer(visit, hook)
    at = hook.path or ""
    found = await committer.read(at)
    changes = FileChanges(
        files=changed_files(with_draft(folder_of(hook, found), form), at, found.files),
        message=form.required("message", "The commit's message"),
        expected=found.commit,
    )
    return await committer.commit(changes, author_of(visit.session.person))


async def create(visit: Visit) -> Response:
    """Commit a new hook's folder; what is wrong with it is said beside the draft."""
    form = visit.form
    source, language = form.word("source"), LANGUAGES.get(form.text("language"), "node")
    if source not in writable_sources(visit):
        raise Conflict(f"`{source[:80]}` is no repository that this server can write to.")
    contract = contract_in(visit.table, form.word("trigger"))
    try:
        published = await _create(visit, contract, source, language)
    except HookledgerError as error:
        if visit.by_htmx:
            raise
        return show_new(visit, contract, language=language, source=source, error=error)
    return visit.go(f"/hooks/{form.word('name')}", _told(published))


async def _create(
    visit: Visit, contract: TriggerContract, source: str, language: Language
) -> Published:
    form, committer = visit.form, visit.services.committers[source]
    name = form.required("name", "The hook's name")
    at = f"hooks/{contract.id}/{name}"
    with contextlib.suppress(NotFound):
        await committer.read(at)
        raise Conflict(f"The repository has a folder `{at}` already; choose another name.")
    changes = FileChanges(
        files=changed_files(with_draft(new_folder(visit, contract, language), form), at, {}),
        message=form.required("message", "The commit's message"),
    )
    return await committer.commit(changes, author_of(visit.session.person))


def _told(published: Published) -> str:
    short, sync = published.commit[:12], published.sync
    if sync.status.is_in_force:
        return f"Commit {short} is made, and in force since position {sync.position}."
    return f"Commit {short} is made, and not in force yet ({sync.status}): see Sync for why."


def author_of(person: Person) -> Author:
    """Name a person as git names people."""
    subject = person.actor.partition(":")[2]
    # `.invalid` is reserved (RFC 2606): nobody ever gets that mail.
    email = subject if "@" in subject else f"{subject.replace('|', '.')}@people.hookledger.invalid"
    return Author(person.name, email)


def _committer(visit: Visit, hook: HookRow) -> FileCommitter:
    kind, _, source = hook.owner.partition(":")
    committer = visit.services.committers.get(source) if kind == "source" else None
    if committer is None:
        raise Conflict(f"`{hook.name}` is in no repository that this server can write to.")
    return committer


PAGES = (
    Page(path="/new-hook/commit", handle=create, scope=COMMIT, method="POST", section="/hooks"),
    Page(path="/hooks/{hook}/commit", handle=commit, scope=COMMIT, method="POST", section="/hooks"),
)
