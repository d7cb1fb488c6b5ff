"""The fixtures of a draft, as the editor has them: all are run, none is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.responses import Response

from app.application.invoking.run_draft import Draft, DraftResult
from app.domain.documents.fixtures import FIXTURES, Fixture, Observed, differences, parse_fixture
from app.domain.errors import Problem, Rejected
from app.web.dashboard.frame.forms import Form
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.hooks.runner import draft_of


@dataclass(frozen=True, slots=True)
class Tried:
    """How a fixture ended."""

    name: str
    file: str
    failures: tuple[str, ...]
    logs: tuple[str, ...]
    milliseconds: float


async def run(visit: Visit) -> Response:
    """Run the fixtures of the form, or ``only`` one, against its draft, with their own secrets."""
    try:
        fixtures = list(_fixtures(visit.form))
        draft = draft_of(visit, {})
        tried = [await _tried(visit, draft, fixture) for fixture in fixtures]
    except Rejected as refusal:
        return visit.render("run_refused.html", refusal=refusal)
    return visit.render("fixtures_result.html", tried=tried)


async def _tried(visit: Visit, draft: Draft, fixture: Fixture) -> Tried:
    result = await visit.services.drafts.run_draft(
        replace(draft, payload=fixture.payload, secrets=fixture.secrets, headers=fixture.headers)
    )
    logs = tuple(line.text for line in result.logs)
    failures = _failures(fixture, result, logs)
    return Tried(fixture.name, fixture.file, failures, logs, result.seconds * 1000)


def _failures(fixture: Fixture, result: DraftResult, logs: tuple[str, ...]) -> tuple[str, ...]:
    if result.envelope is None:
        return (f"{result.outcome.kind}: {result.outcome.detail}",)
    envelope: dict[str, Any] = orjson.loads(result.envelope)
    return differences(fixture, Observed(envelope, logs))


def _fixtures(form: Form) -> Iterator[Fixture]:
    """Read the fixtures among the files; raise ``Rejected`` with every problem of all of them."""
    files = {
        name.removeprefix("file:"): text
        for name, text in form
        if name.startswith("file:") and not form.checked(f"remove:{name.removeprefix('file:')}")
    }
    found, problems = list[Fixture](), list[Problem]()
    only = form.word("only")
    for path, text in files.items():
        if only not in ("", path):
            continue
        if path.startswith(f"{FIXTURES}/") and path.endswith(".json"):
            try:
                found.append(parse_fixture(path, text.encode()))
            except Rejected as refusal:
                problems += refusal.problems
    if problems:
        raise Rejected("The fixtures cannot be run.", problems=problems)
    yield from found


PAGES = (
    Page(path="/run/fixtures", handle=run, scope="run:hooks", method="POST", section="/hooks"),
)
