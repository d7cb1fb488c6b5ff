"""The Deploy CLI's directory format: ``hooks/<name>.json``, and the script beside it."""

from __future__ import annotations

from app.domain.errors import Problem, Rejected
from app.gitops.formats.auth0_items import HookItem
from app.gitops.formats.choice import HOOKS
from app.gitops.formats.documents import decode, parse_json
from app.gitops.formats.files import Files
from app.gitops.formats.keywords import hide_in_json

MAX_ITEMS = 5_000
MAX_JSON_BYTES = 64 * 1024


def read_items(files: Files) -> tuple[list[HookItem], list[Problem]]:
    """Return what each JSON file describes, and what is wrong with the others.

    Raises ``Rejected`` when the folder as a whole cannot be read.
    """
    manifests = [name for name in files.names(HOOKS) if name.endswith(".json")]
    if len(manifests) > MAX_ITEMS:
        problem = Problem(f"holds more than {MAX_ITEMS} hooks", file=HOOKS)
        raise Rejected("There are too many hooks.", problems=[problem])
    items: list[HookItem] = []
    problems = files.wrong_in(HOOKS)
    for name in manifests:
        try:
            items.append(_read(files, f"{HOOKS}/{name}"))
        except Rejected as refusal:
            problems += refusal.problems
    return items, problems


def _read(files: Files, place: str) -> HookItem:
    text = decode(place, files.read(place, MAX_JSON_BYTES) or b"")
    document = parse_json(place, hide_in_json(place, text))
    return HookItem.of(document, document.value, (), beside=HOOKS)
