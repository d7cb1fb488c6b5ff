"""``hookledger test``: run fixtures of a work tree."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.application.invoking.run_fixtures import FixtureResult
from app.bootstrap.engine import run_all_fixtures
from app.cli.junit import write_junit
from app.cli.output import JsonFlag, console, print_json, telling


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
