"""``hookledger sync``, ``plan`` and ``test``: from a repository to hooks in force."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.application.reconcile import SyncResult, SyncStatus
from app.application.run_fixtures import FixtureResult
from app.bootstrap.engine import open_engine, run_all_fixtures
from app.bootstrap.storage import open_storage
from app.cli.junit import write_junit
from app.cli.output import JsonFlag, console, print_json, print_table, telling
from app.domain.plans import Plan


def sync(
    *,
    once: Annotated[bool, typer.Option("--once", help="Apply the branch's tip and stop.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Apply the followed branch: the whole commit or nothing of it.

    Without --once, go on following until interrupted. A refused commit is recorded with its
    reasons, and ends --once with exit code 1.
    """

    async def run() -> SyncResult:
        with open_storage() as storage:
            status = console.status("Reading and applying the commit …")
            async with open_engine(storage, on_install=telling(status)) as engine:
                if once:
                    with status:
                        return await engine.reconciler.sync()
                console.print(f"Following {engine.source.location} (interrupt to stop).")
                await engine.watcher.run()
                raise AssertionError("the watcher runs until it is cancelled")

    result = asyncio.run(run())
    if as_json:
        print_json({"status": result.status, "commit": result.commit, "position": result.position})
    elif result.status is SyncStatus.UNCHANGED:
        console.print(f"Commit {result.commit[:12]} is in force already.")
    else:
        console.print(f"Commit {result.commit[:12]} is in force (position {result.position}).")
        if result.plan is not None:
            _print_changes(result.plan)


def plan(
    ref: Annotated[
        str | None, typer.Argument(help="Branch, tag or commit; default: the branch's tip.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show what a commit would change, and change nothing.

    Exit code 0: nothing would change; 2: something would; 1: the commit would be refused.
    """

    async def run() -> Plan:
        with open_storage() as storage:
            async with open_engine(storage) as engine:
                return await engine.reconciler.plan(ref)

    planned = asyncio.run(run())
    if as_json:
        print_json(
            {
                "commit": planned.commit,
                "digest": planned.digest,
                "counts": planned.counts,
                "changes": [change.described() for change in planned.changes],
                "dependencies": planned.dependencies,
            }
        )
    else:
        console.print(f"Plan for commit {planned.commit[:12]}:")
        _print_changes(planned)
        _print_dependencies(planned)
    raise typer.Exit(2 if planned.changes else 0)


def run_fixtures(
    path: Annotated[
        Path, typer.Argument(help="A hooks repository, or any folder within it.", exists=True)
    ] = Path("hooks_repo"),
    *,
    junit: Annotated[
        Path | None, typer.Option(help="Also write the results to this file, as JUnit XML.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the fixtures of hooks in a work tree, in the same isolation as in production."""
    with console.status("Running fixtures …") as status:
        results = asyncio.run(run_all_fixtures(path, telling(status)))
    failed = [result for result in results if result.failures]
    if junit is not None:
        write_junit(results, junit)
    if as_json:
        print_json([_described(result) for result in results])
    else:
        for result in results:
            _print_result(result)
        passed = len(results) - len(failed)
        console.print(f"{passed} passed, {len(failed)} failed", style="red" if failed else "green")
        if not results:
            console.print(f"No fixtures below {path}. Write one: hooks/…/fixtures/name.json")
    raise typer.Exit(1 if failed else 0)


def _print_changes(planned: Plan) -> None:
    print_table(
        ("CHANGE", "HOOK", "TRIGGER", "WHAT", "FOLDER"),
        [(c.kind, c.name, c.trigger, ", ".join(c.fields), c.path) for c in planned.changes],
        empty="Nothing would change." if planned.commit else "",
    )


def _print_dependencies(planned: Plan) -> None:
    if planned.dependencies:
        console.print("\nTo be installed first, unless they are:")
        rows = [(asked["name"], asked["version"], asked["hook"]) for asked in planned.dependencies]
        print_table(("PACKAGE", "VERSION", "HOOK"), rows, empty="")


def _print_result(result: FixtureResult) -> None:
    mark = "FAIL" if result.failures else "ok  "
    console.print(
        f"{mark} {result.hook}: {result.fixture.name} ({result.seconds * 1000:.0f} ms)",
        style="red" if result.failures else None,
        markup=False,
        highlight=False,
    )
    for failure in result.failures:
        for line in failure.split("\n"):
            console.print(f"       {line}", markup=False, highlight=False, soft_wrap=True)
    for line in result.logs if result.failures else ():
        console.print(f"       | {line}", markup=False, highlight=False, style="dim")


def _described(result: FixtureResult) -> dict[str, object]:
    return {
        "hook": result.hook,
        "fixture": result.fixture.name,
        "file": result.fixture.file,
        "passed": not result.failures,
        "failures": list(result.failures),
        "logs": list(result.logs),
        "seconds": result.seconds,
    }
