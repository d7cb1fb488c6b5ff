"""``hookledger migrate``: from an export of Auth0's Deploy CLI to a repository of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap.packages import package_cache
from app.cli.folders import write_files
from app.cli.output import JsonFlag, console, print_json, print_table, telling
from app.domain.documents.packages import PackageSet
from app.domain.errors import NotFound, Problem, Rejected
from app.gitops.formats.choice import Chosen, FormatSettings, choose
from app.gitops.formats.files import FolderFiles
from app.gitops.formats.migration import Finding, Migration, migrate
from config.settings import Settings, load_settings


def migrate_export(
    source: Annotated[
        Path, typer.Argument(help="Folder that the Deploy CLI exported, or its YAML file.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; must be empty or not exist.")
    ],
    *,
    try_packages: Annotated[
        bool, typer.Option("--try-packages", help="Install packages, to learn which are gone.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Turn an export of Auth0's Deploy CLI into hooks as they are written here.

    Prints what needs a person: secrets to set, packages, names, addresses. Values of keywords come
    from the setting `keywords`. Nothing is ever overwritten.
    """
    settings = load_settings()
    made = _read(source, settings)
    if try_packages:
        made.findings += asyncio.run(_missing_packages(made, settings))
    write_files(output, made.files)
    if as_json:
        print_json({"output": str(output), **made.described()})
        return
    console.print(f"{len(made.hooks)} hooks are in {output}.", markup=False, soft_wrap=True)
    _print(made.findings)


def _read(source: Path, settings: Settings) -> Migration:
    if not source.exists():
        raise NotFound(f"There is no {source}.")
    if source.is_file():
        files, chosen = FolderFiles(source.parent), Chosen("auth0-yaml", source.name)
    else:
        files = FolderFiles(source)
        chosen = choose(files, FormatSettings())
    if chosen.format == "native":
        problem = Problem("there is neither a JSON file in hooks/ nor a YAML list of hooks")
        raise Rejected(f"{source} is no export of the Deploy CLI.", problems=[problem])
    return migrate(files, chosen, settings.keywords)


async def _missing_packages(made: Migration, settings: Settings) -> list[Finding]:
    asked = {
        hook.name: PackageSet.of(hook.language, hook.dependencies)
        for hook in made.hooks
        if hook.dependencies
    }
    with console.status("Installing packages …") as status:
        packages = package_cache(settings, telling(status))
        found = await packages.ensure(frozenset(asked.values()))
    return [
        Finding("package", f"{problem.key}: {problem.message}", hook)
        for hook, wanted in asked.items()
        for problem in found.get(wanted, ())
    ]


def _print(findings: Sequence[Finding]) -> None:
    rows = [
        (
            finding.hook,
            finding.kind,
            finding.message,
            ":".join(str(part) for part in (finding.file, finding.line) if part is not None),
        )
        for finding in findings
    ]
    print_table(("HOOK", "ABOUT", "WHAT TO DO OR KNOW", "WHERE"), rows, empty="Nothing is left.")
    if commands := [finding.command for finding in findings if finding.command]:
        console.print("\nOnce the hooks are in force:", markup=False)
        for command in commands:
            console.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)
