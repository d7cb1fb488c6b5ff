"""The Deploy CLI's YAML format: one file, of which only the list ``hooks`` is read."""

from __future__ import annotations

from app.domain.errors import Problem, Rejected
from app.gitops.formats.auth0_directory import MAX_ITEMS
from app.gitops.formats.auth0_items import HookItem
from app.gitops.formats.choice import HOOKS, MAX_YAML_BYTES
from app.gitops.formats.documents import decode, parse_yaml
from app.gitops.formats.files import Files
from app.gitops.formats.keywords import hide_in_yaml


def read_items(files: Files, file: str) -> tuple[list[HookItem], list[Problem]]:
    """Return what each entry of the list describes, and what is wrong with the others.

    Raises ``Rejected`` when the file as a whole cannot be read, or has no list of hooks: that is
    taken for a mistake, as ``hooks: []`` says that there are none.
    """
    text = decode(file, files.read(file, MAX_YAML_BYTES) or b"")
    document = parse_yaml(file, hide_in_yaml(file, text))
    listed = document.value.get(HOOKS) if isinstance(document.value, dict) else None
    if not isinstance(listed, list):
        message = "there is no such list, which is taken for a mistake; `hooks: []` has none"
        raise _refused(Problem(message, file, document.line_of((HOOKS,)), HOOKS))
    if len(listed) > MAX_ITEMS:
        raise _refused(Problem(f"holds more than {MAX_ITEMS} hooks", file, key=HOOKS))
    items: list[HookItem] = []
    problems: list[Problem] = []
    for index, members in enumerate(listed):
        try:
            items.append(HookItem.of(document, members, (HOOKS, index), beside=""))
        except Rejected as refusal:
            problems += refusal.problems
    return items, problems


def _refused(problem: Problem) -> Rejected:
    return Rejected("The list of hooks cannot be read.", problems=[problem])
