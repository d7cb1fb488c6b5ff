"""How each forge is told a commit's status: one request, made as a value.

GitHub, "Create a commit status"; Gitea and Forgejo, the same below ``/api/v1``; GitLab, "Set commit
pipeline status", which knows ``failed`` where the others tell ``failure`` and ``error`` apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from app.application.syncing.commit_statuses import CommitState, CommitStatus

ForgeName = Literal["github", "gitlab", "gitea", "forgejo"]

_GITLAB_STATES: Mapping[CommitState, str] = {
    CommitState.PENDING: "pending",
    CommitState.SUCCESS: "success",
    CommitState.FAILURE: "failed",
    CommitState.ERROR: "failed",
}
_GITLAB_SAME = "Cannot transition status"
"""GitLab's answer to a state that a commit has already."""
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A POST with a JSON body; the path begins with a slash and follows the API's address."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def status_request(
    forge: ForgeName,
    repository: str,
    status: CommitStatus,
    *,
    context: str,
    link: str | None,
    token: str,
) -> StatusRequest:
    """Write the request; ``repository`` is ``owner/name``, or GitLab's path or number."""
    linked = {"target_url": link} if link else {}
    said = {"state": str(status.state), "description": status.description} | linked
    sha = quote(status.sha, safe="")
    if forge == "gitlab":
        return StatusRequest(
            f"/api/v4/projects/{quote(repository, safe='')}/statuses/{sha}",
            {"private-token": token},
            said | {"state": _GITLAB_STATES[status.state], "name": context},
        )
    place = f"/repos/{quote(repository)}/statuses/{sha}"
    body = said | {"context": context}
    if forge == "github":
        accept = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        return StatusRequest(place, {"authorization": f"Bearer {token}"} | accept, body)
    return StatusRequest(f"/api/v1{place}", {"authorization": f"token {token}"}, body)


def is_told(forge: ForgeName, status_code: int, answer: str) -> bool:
    """Tell whether the forge knows the status now."""
    if forge == "gitlab" and status_code == _BAD_REQUEST and _GITLAB_SAME in answer:
        return True
    return status_code in (200, 201)
