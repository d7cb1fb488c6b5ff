"""``hookledger audit verify``, ``export`` and ``verify-bundle``: evidence, and checking it."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from app.application.history.evidence import evidence
from app.application.history.verifications import Verification
from app.application.views import AuditQuery, CountBy
from app.bootstrap.storage import note_access, open_existing_storage
from app.bootstrap.transparency import (
    event_count,
    open_prover,
    verify_installation,
)
from app.bootstrap.transparency import verify_bundle as check_bundle
from app.cli.output import JsonFlag, console, errors, print_json
from app.cli.whole_files import whole_file
from app.domain.errors import Rejected
from app.domain.history.checkpoints import parse_verifier_key
from config.settings import load_settings

EXPORTING = "hookledger audit export"
"""How an export is called where accesses are listed."""

_COLUMNS = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class ExitCode(enum.IntEnum):
    """How a verification ends; 1 and 2 are those of every command."""

    INTACT = 0
    ALTERED = 3
    DAMAGED = 4


def _verifier_key(written: str) -> str:
    """Refuse a mistyped key as wrong usage: nothing was altered because of it."""
    try:
        parse_verifier_key(written)
    except Rejected as error:
        raise typer.BadParameter(f"{error} `hookledger keys checkpoint` prints it.") from None
    return written


KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        parser=_verifier_key,
        metavar="KEY",
        help="Verifier key `name+hash+base64` to trust instead of the stored ones; repeat.",
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
    with_tables: Annotated[
        bool,
        typer.Option(
            "--tables", help="Also make the tables anew and compare them; several times as long."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read every stored event and compare it with the Merkle tree and all signed checkpoints.

    With --tables the audit log and the tables of hooks, present and past, are made anew from the
    events and compared as well: what people read and the server runs. Needs no server, changes
    nothing, and may run beside one. Exit code 0: all agree. 3: events were changed, removed, put
    in or moved, or a checkpoint was forged. 4: the events are as signed, but what is made of
    them, tree or tables, is not. 1: it could not be found out.
    """
    settings = load_settings()
    with Progress(*_COLUMNS, console=errors, transient=True) as progress:
        total = event_count(settings)
        events = progress.add_task("Verifying events", total=total)
        tables = progress.add_task("Comparing tables", total=total, visible=with_tables)
        found = verify_installation(
            settings,
            checkpoint or (),
            key or (),
            lambda done: progress.update(events, completed=done),
            (lambda done: progress.update(tables, completed=done)) if with_tables else None,
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
        whole_file(output, replacing=False) as written,
        open_existing_storage() as storage,
        open_prover(storage) as prover,
        Progress(*_COLUMNS, console=errors, transient=True) as progress,
    ):
        total = sum(storage.audit.counts(query, by=CountBy.TYPE).counts.values())
        bar = progress.add_task("Exporting events", total=total)
        note_access("exported", EXPORTING, "audit format:evidence")
        pieces = evidence(
            prover,
            storage.audit,
            query,
            withhold=not sensitive,
            progress=lambda done: progress.update(bar, completed=done),
        )
        for piece in pieces:
            written.write(piece)
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
