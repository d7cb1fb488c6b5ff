"""Write-back: what git holds of a hook, and commits made on behalf of the caller."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from app.application.invoking.envelopes import parse_json
from app.application.syncing.commit_files import (
    Author,
    FileChanges,
    FileCommitter,
    Published,
    check,
)
from app.application.views import ClientRow, HookRow
from app.domain.errors import Conflict, NotFound, Problem, Rejected
from app.domain.revisions import CommitSha, is_commit_sha
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.errors import RevisionRefused
from app.web.protocol.parameters import path_parameter
from app.web.syncing.members import plan_members, result_members

_SCOPE = "commit:hooks"
_KNOWN = ("message", "files", "expected", "source")


async def show_files(inquiry: Inquiry) -> Response:
    """Answer the files of a hook's folder as the branch's tip has them."""
    hook = inquiry.table.find_hook(inquiry.path["id"])
    if hook is None:
        raise NotFound(f"There is no hook `{inquiry.path['id']}` now.")
    source = _source_of(hook)
    committer = _committer(inquiry, source)
    found = await committer.read(hook.path or "")
    return json_answer(
        {
            "hook": hook.id,
            "source": source,
            "commit": found.commit,
            "folder": hook.path,
            "files": [
                {"path": path, "content": _text(content)} for path, content in found.files.items()
            ],
        }
    )


async def commit_files(inquiry: Inquiry) -> Response:
    """Commit, publish and sync; nothing is published that the sync would refuse."""
    changes, source = _read_changes(inquiry.body)
    check(changes)
    committer = _committer(inquiry, source)
    try:
        published = await committer.commit(changes, author_of(inquiry.client))
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal
    headers = {"hookledger-position": str(published.sync.position)}
    return json_answer(published_members(published), status=201, headers=headers)


def author_of(client: ClientRow | None) -> Author:
    """Name a client as git names people."""
    if client is None:
        raise NotFound("Nobody is known to have asked.")
    # `.invalid` is reserved (RFC 2606): nobody ever gets that mail.
    return Author(client.name, f"{client.id.replace('|', '.')}@clients.hookledger.invalid")


def published_members(published: Published) -> dict[str, Any]:
    """Choose what is shown of a commit that was made."""
    return {
        "commit": published.commit,
        "plan": plan_members(published.plan),
        "sync": result_members(published.sync) | {"plan": None},
    }


def _committer(inquiry: Inquiry, source: str | None) -> FileCommitter:
    committers = inquiry.services.committers
    if not committers:
        raise Conflict(
            "The followed repository is remote, and only read: commit and push to it, or set "
            "`remote.push`."
        )
    if source is None and len(committers) == 1:
        return next(iter(committers.values()))
    if source is None:
        listed = ", ".join(sorted(committers))
        problem = Problem(f"is missing; the sources are: {listed}", key="source")
        raise Rejected("There are several sources: say which one.", problems=[problem])
    if source not in committers:
        raise NotFound(f"There is no source `{source}`.")
    return committers[source]


def _source_of(hook: HookRow) -> str:
    kind, _, source = hook.owner.partition(":")
    if kind != "source":
        raise Conflict(f"The hook `{hook.name}` is not in git: it was made through the API.")
    return source


def _read_changes(body: bytes) -> tuple[FileChanges, str | None]:
    given = parse_json(body)
    if not isinstance(given, dict):
        raise Rejected(f"The body must be a JSON object with: {', '.join(_KNOWN)}.")
    problems = [
        Problem(f"unknown member; known are: {', '.join(_KNOWN)}", key=key)
        for key in given
        if key not in _KNOWN
    ]
    files, problem = _read_files(given.get("files"))
    problems += problem
    message, expected, source = (given.get(key) for key in ("message", "expected", "source"))
    if not isinstance(message, str):
        problems.append(Problem("must be text", key="message"))
    if expected is not None and not (isinstance(expected, str) and is_commit_sha(expected)):
        problems.append(Problem("must be a full commit id", key="expected"))
    if source is not None and not isinstance(source, str):
        problems.append(Problem("must be the id of a source", key="source"))
    if problems:
        raise Rejected("Nothing was committed.", problems=problems)
    on = CommitSha(expected) if expected is not None else None
    return FileChanges(files=files, message=str(message), expected=on), source


def _read_files(given: Any) -> tuple[dict[str, str | None], list[Problem]]:
    if not isinstance(given, list):
        return {}, [Problem("must be a list of {path, content}", key="files")]
    files: dict[str, str | None] = {}
    problems = []
    for number, item in enumerate(given):
        key = f"files[{number}]"
        if not isinstance(item, dict) or set(item) != {"path", "content"}:
            problems.append(Problem("must be {path, content}", key=key))
        elif not isinstance(item["path"], str) or not isinstance(item["content"], str | None):
            problems.append(Problem("path and content must be text, content may be null", key=key))
        elif item["path"] in files:
            problems.append(Problem(f"`{item['path']}` is there twice", key=key))
        else:
            files[item["path"]] = item["content"]
    return files, problems


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showHookFiles",
            method="GET",
            path="/v1/hooks/{id}/files",
            summary="Show the files of a hook in git",
            description=(
                "Manifest, script and fixtures as the branch's newest commit has them, which may "
                "not be in force yet. The content of a file that is no text is `null`."
            ),
            group="Write-back",
            scope="read:hooks",
            positioned=True,
            parameters=(path_parameter("id", "Name of a hook, or its id (a ULID)."),),
            answers={200: Answered("The files.", {JSON: "HookFiles"}, ("Hookledger-Position",))},
            problems=("not-found", "conflict", "stalled", "transient"),
        ),
        show_files,
    ),
    Endpoint(
        Operation(
            id="commitFiles",
            method="POST",
            path="/v1/sync/commits",
            summary="Commit changes to a source",
            description=(
                "The caller is the commit's author, the server its committer. The commit is "
                "planned first: what a sync would refuse is a problem that lists every reason, "
                "and never reaches the branch. Answers when it is synced."
            ),
            group="Write-back",
            scope=_SCOPE,
            body="FileChanges",
            body_required=True,
            positioned=True,
            repeatable=True,
            answers={201: Answered("The commit.", {JSON: "Commit"}, ("Hookledger-Position",))},
            problems=("not-found", "conflict", "revision-rejected", "stalled", "transient"),
        ),
        commit_files,
    ),
)
