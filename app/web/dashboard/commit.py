"""A draft of a hook that git owns becomes a commit of the person who wrote it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from app.application.commit_files import Author, FileChanges, FileCommitter, Published
from app.application.views import HookRow
from app.domain.errors import Conflict
from app.domain.outcomes import SCRIPT_FILES
from app.domain.people import Person
from app.web.dashboard.hook_lookup import hook_of
from app.web.dashboard.pages import Page, Visit


async def commit(visit: Visit) -> Response:
    """Commit the draft, publish it, and show the hook once it is in force."""
    hook, form = hook_of(visit), visit.form
    if form.text("digest") != hook.digest:
        raise _changed(hook)
    committer = _committer(visit, hook)
    found = await committer.read(hook.path or "")
    changes = FileChanges(
        files={_script_of(hook, found.files): form.text("script").replace("\r\n", "\n")},
        message=form.required("message", "The commit's message"),
        expected=found.commit,
    )
    published = await committer.commit(changes, author_of(visit.session.person))
    return visit.go(f"/hooks/{hook.name}", _told(published))


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


def _script_of(hook: HookRow, files: Mapping[str, bytes]) -> str:
    """Return the path of the script: the file that says what is in force."""
    usual = f"{hook.path}/{SCRIPT_FILES[hook.language]}"
    same = [path for path, content in files.items() if content == hook.script.encode()]
    if not same:
        raise _changed(hook)
    return usual if usual in same else same[0]


def _changed(hook: HookRow) -> Conflict:
    return Conflict(
        f"`{hook.name}` has changed since you opened it, or the newest commit is not in force. "
        "Your draft is still in this browser: open the editor again and compare."
    )


PAGES = (
    Page(
        path="/hooks/{hook}/commit",
        handle=commit,
        scope="commit:hooks",
        method="POST",
        section="/hooks",
    ),
)
