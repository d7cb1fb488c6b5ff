"""How the refusal of a commit is told."""

from __future__ import annotations

from dataclasses import replace

from app.domain.documents.toml_documents import printable
from app.domain.errors import Problem, Rejected
from app.domain.revisions import CommitSha

_MAX_PROBLEMS = 500
_MAX_FILE_SHOWN = 4096


def refusal_of(commit: CommitSha, refusal: Rejected, path: str) -> Rejected:
    """Name files as the repository's root sees them, and cut what nobody could read."""
    problems = refusal.problems or (Problem(refusal.message),)
    ordered = sorted(problems, key=lambda p: (p.file or "", p.line or 0))
    shown = [_placed(problem, path) for problem in ordered[:_MAX_PROBLEMS]]
    if len(ordered) > _MAX_PROBLEMS:
        shown.append(Problem(f"and {len(ordered) - _MAX_PROBLEMS} more problems"))
    return Rejected(
        f"Commit {commit[:12]} is refused; what was in force before stays in force.",
        problems=shown,
    )


def _placed(problem: Problem, path: str) -> Problem:
    if problem.file is None:
        return problem
    file = f"{path}/{problem.file}" if path else problem.file
    return replace(problem, file=printable(file, _MAX_FILE_SHOWN))
