"""``hookledger audit verify``, ``export`` and ``verify-bundle``: evidence, and checking it."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from app.application.history.evidence import evidence
from app.application.history.verifications import Verification
from app.application.views import AuditQuery
from app.bootstrap.storage import open_storage
from app.bootstrap.transparency import (
    event_count,
    open_prover,
    verify_installation,
)
from app.bootstrap.transparency import verify_bundle as check_bundle
from app.cli.output import JsonFlag, console, errors, print_json
from app.domain.errors import Rejected
from config.settings import load_settings

_COLUMNS = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class ExitCode(enum.IntEnum):
    """How a verification ends; 1 and 2 are those of every command."""

    INTACT = 0
    ALTERED = 3
    DAMAGED = 4


KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key", help="Verifier key `name+hash+base64` to trust instead of the stored ones; repeat."
    ),
]


def verify(
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", exists=True, dir_okay=False, help="File of copied checkpoints; repeat."
        ),
    ] = None,
    key: KeyOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Read every stored event and compare it with the Merkle tree and all signed checkpoints.

    Needs no server, changes nothing, and may run beside one. Exit code 0: all agree. 3: events were
    changed, removed, put in or moved, or a checkpoint was forged. 4: the events are as signed, but
    the tree made of them is damaged. 1: it could not be found out.
    """
    settings = load_settings()
    with Progress(*_COLUMNS, console=errors, transient=True) as progress:
        bar = progress.add_task("Verifying events", total=event_count(settings))
        found = verify_installation(
            settings, checkpoint or (), key or (), lambda done: progress.update(bar, completed=done)
        )
    if as_json:
        print_json(_members(found))
    else:
        _print(found)
    raise typer.Exit(_exit_code(found))


def write_evidence(output: Path, query: AuditQuery, *, sensitive: bool) -> None:
    """Write a bundle of events that a stranger can verify without a server.

    It holds scripts. Events with ciphertexts or hashes of credentials are proved without their
    content unless ``sensitive``. Raises ``Rejected`` when the file exists.
    """
    with (
        open_storage() as storage,
        open_prover(storage) as prover,
        Progress("{task.description}", MofNCompleteColumn(), console=errors) as progress,
    ):
        bar = progress.add_task("Exporting events", total=None)
        pieces = evidence(
            prover,
            storage.audit,
            query,
            withhold=not sensitive,
            progress=lambda done: progress.update(bar, completed=done),
        )
        _write_new(output, lambda write: [write(piece) for piece in pieces])
    console.print(f"Evidence is in {output}.", markup=False, soft_wrap=True)


def verify_bundle(
    bundle: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bundle.")],
    *,
    key: KeyOption = None,
) -> None:
    """Check a bundle of `audit export --proof`, with nothing but the bundle and a key.

    Exit code 0: every event in it is in the signed history exactly so. 3: it is not; the first
    wrong line is named.
    """
    try:
        checked = check_bundle(bundle, key or ())
    except Rejected as error:
        errors.print(f"hookledger: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(ExitCode.ALTERED) from None
    signed = checked.signed
    console.print(
        f"{checked.events} events ({checked.withheld} without content) are in the history of "
        f"`{signed.checkpoint.origin}`, as signed for {signed.checkpoint.size} events.",
        markup=False,
        soft_wrap=True,
    )
    if not checked.key_was_given:
        errors.print(
            f"The bundle itself names the key: {signed.key}. Compare it with one that you got "
            "elsewhere, or give that one with --key.",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def _write_new(output: Path, fill: Callable[[Callable[[bytes], object]], object]) -> None:
    """Write a file whole or not at all."""
    partial = output.with_name(f"{output.name}.partial")
    try:
        with partial.open("xb") as file:
            fill(file.write)
        os.link(partial, output)
    except FileExistsError as error:
        there = error.filename2 or error.filename
        raise Rejected(f"{there} exists already; nothing was written.") from None
    finally:
        partial.unlink(missing_ok=True)


def _exit_code(found: Verification) -> ExitCode:
    return ExitCode[found.verdict.name]


def _print(found: Verification) -> None:
    report = found.report
    for sentence in (*report.messages, *found.refused):
        errors.print(sentence, style="red", markup=False, soft_wrap=True)
    for sentence in found.warnings:
        errors.print(sentence, style="yellow", markup=False, soft_wrap=True)
    tree = "no stored tree" if report.tree_size is None else f"a tree of {report.tree_size}"
    console.print(
        f"{report.events} events, {tree}, {report.agreeing} agreeing checkpoints: {found.verdict}.",
        markup=False,
        soft_wrap=True,
    )
    if report.newest_agreeing is not None:
        console.print(f"Up to {report.newest_agreeing}.", markup=False, soft_wrap=True)


def _members(found: Verification) -> dict[str, object]:
    report = found.report
    return {
        "verdict": found.verdict,
        "events": report.events,
        "tree_size": report.tree_size,
        "first_bad_position": report.first_bad,
        "checkpoints": {
            "agreeing": report.agreeing,
            "contradicting": [
                {"where": each.where, "note": each.signed.note} for each in report.contradicting
            ],
            "refused": found.refused,
        },
        "messages": report.messages,
        "warnings": found.warnings,
    }
