"""The runner: a draft, or a hook as it is saved, tried with a payload; nothing is stored."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import Any, cast, get_args

import orjson
from starlette.responses import Response

from app.application.invoking.contracts import contracts_in
from app.application.invoking.run_draft import Draft, DraftResult
from app.domain.documents.fixtures import FIXTURES, written_fixture
from app.domain.errors import Problem, Rejected
from app.domain.manifests.manifest import MANIFEST, parse_manifest
from app.domain.outcomes import SCRIPT_FILES, Language, OutcomeKind
from app.domain.plans.plan import DesiredHook
from app.web.dashboard.frame.forms import Form
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.rendering import indented
from app.web.dashboard.hooks.editor import read_dependencies

_PLACE = re.compile(r"hook\.(?:py|js)(?:\"?, line |:)(\d+)")
"""How Python and Node.js name a line of the script in the stack of an error."""


async def run(visit: Visit) -> Response:
    """Run what the form holds, and answer the part of the page that tells what came of it."""
    form = visit.form
    try:
        payload = _json(form.text("payload"))
        if form.word("hook") and form.checked("saved"):
            result = await _saved(visit, payload)
        else:
            result = await visit.services.drafts.run_draft(draft_of(visit, payload))
    except Rejected as refusal:
        return visit.render("run_refused.html", refusal=refusal)
    kept = _kept(form, payload, result)
    return visit.render("run_result.html", fixture=kept, **_shown(result))


def _kept(form: Form, payload: Any, result: DraftResult) -> tuple[str, str] | None:
    """Return path and text of the fixture that the run can become, if the hook's folder is open."""
    if f"file:{MANIFEST}" not in form or not isinstance(payload, dict) or result.envelope is None:
        return None
    paths = (f"{FIXTURES}/example-{number}.json" for number in count(1))
    free = next(path for path in paths if f"file:{path}" not in form)
    return free, written_fixture(payload, orjson.loads(result.envelope))


async def _saved(visit: Visit, payload: Any) -> DraftResult:
    named = visit.table.find_hook(visit.form.word("hook"))
    if named is None:
        raise Rejected("The hook does not exist any more, so it cannot be run as saved.")
    return await visit.services.drafts.run_saved(named, payload, {})


def draft_of(visit: Visit, payload: Any) -> Draft:
    """Make the form's draft; it has the secrets given only, and may call what is listed in force.

    The saved secrets are for the saved script alone: any other could send them elsewhere. Packages
    and the timeout are those of the draft's manifest. Raises ``Rejected`` with all that is wrong
    with that.
    """
    form = visit.form
    if form.word("language") not in get_args(Language):
        raise Rejected("The draft's language is not known.")
    hook = visit.table.find_hook(form.word("hook"))
    draft = Draft(
        trigger=form.word("trigger"),
        language=cast("Language", form.word("language")),
        script=form.text("script"),
        payload=payload,
        secrets=_secrets(form.text("secrets")),
        dependencies=read_dependencies(form.text("dependencies")),
    )
    if hook is not None:
        settings = hook.settings
        network = tuple(settings["network"])
        draft = replace(draft, timeout_ms=settings["timeout_ms"], network=network)
    if f"file:{MANIFEST}" not in form:
        return draft
    manifest = _manifest(visit, draft)
    timeout = manifest.settings["timeout_ms"]
    return replace(draft, dependencies=manifest.dependencies, timeout_ms=timeout)


def _manifest(visit: Visit, draft: Draft) -> DesiredHook:
    """Read the draft's manifest as if it lay in a folder of the trigger."""
    at = f"hooks/{draft.trigger}/draft"
    content = visit.form.text(f"file:{MANIFEST}").encode()
    file = visit.form.word("script_file") or SCRIPT_FILES[draft.language]
    script = {file: draft.script.encode("utf-8", "surrogatepass")}
    known = [contract.id for contract in contracts_in(visit.table)]
    try:
        return parse_manifest(at, content, script, known)
    except Rejected as refusal:
        problems = [
            replace(each, file=each.file and each.file.removeprefix(f"{at}/"))
            for each in refusal.problems
        ]
        raise Rejected("The draft would be refused.", problems=problems) from None


def _secrets(written: str) -> dict[str, str]:
    """Read secrets, one a line: ``NAME=value``."""
    found, problems = dict[str, str](), list[Problem]()
    for number, line in enumerate(written.splitlines(), 1):
        name, equals, value = line.partition("=")
        if equals and name.strip():
            found[name.strip()] = value
        elif line.strip():
            message = "must read `NAME=value`"
            problems.append(Problem(message, key="secrets", file="secrets", line=number))
    if problems:
        raise Rejected("The secrets of this run cannot be read.", problems=problems)
    return found


def _json(written: str) -> Any:
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError as error:
        line = written.count("\n", 0, error.pos) + 1
        problem = Problem(str(error.msg), file="payload", line=line)
        raise Rejected("The payload is not valid JSON.", problems=[problem]) from None


def _shown(result: DraftResult) -> dict[str, Any]:
    outcome = result.outcome
    envelope = orjson.loads(result.envelope) if result.envelope is not None else None
    failed = outcome.kind is not OutcomeKind.SUCCEEDED
    data = envelope.get("data") if isinstance(envelope, dict) else None
    stack = str(data.get("stack", "")) if failed and isinstance(data, dict) else ""
    place = _PLACE.search(stack)
    message = str(data.get("message", "")) if failed and isinstance(data, dict) else outcome.detail
    return {
        "kind": outcome.kind,
        "failed": failed,
        "message": message,
        "line": int(place[1]) if place else None,
        "stack": stack,
        "answer": indented(
            {k: v for k, v in envelope.items() if k != "effects"} if envelope else None
        ),
        "effects": indented(result.effects) if result.effects is not None else None,
        "skipped": result.skipped,
        "logs": result.logs,
        "milliseconds": result.seconds * 1000,
    }


PAGES = (Page(path="/run", handle=run, scope="run:hooks", method="POST", section="/hooks"),)
