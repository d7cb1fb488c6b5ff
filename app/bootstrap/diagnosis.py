"""What this machine can do: every isolation layer tried, every file looked at."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.application.syncing.status import Check
from app.bootstrap.ambient import utc_now
from app.bootstrap.data_directory import check_data_directory
from app.bootstrap.descriptors import enough_descriptors
from app.bootstrap.repositories import source_settings
from app.bootstrap.storage import vault_file
from app.bootstrap.tls import served_certificate
from app.domain.errors import HookledgerError
from app.runtime.doctor import probe
from app.runtime.isolation import LayerReport, demand, level_of
from app.runtime.node_binary import find_node
from app.runtime.node_inspection import find_program
from app.vault.sealing import count_keys
from config.settings import Settings

_LEAST_FREE_MIB = 100
"""Below it a day of log lines or one set of packages may fill the disk."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What ``hookledger doctor`` found."""

    level: str
    """``full``, ``container`` or ``insufficient``."""
    can_serve: bool
    """Whether ``hookledger serve`` would start with the present settings."""
    checks: tuple[Check, ...]


def diagnose(settings: Settings) -> Diagnosis:
    """Probe isolation in throw-away processes, and look at data, key file and repository.

    Makes and changes nothing.
    """
    reports = probe(
        settings.worker_uid_base,
        node=find_program(find_node(settings.node)),
        packages_root=settings.packages_root if settings.packages_root.is_dir() else None,
        data_dir=settings.data_dir if settings.data_dir.is_dir() else None,
    )
    layers = tuple(
        Check(f"isolation: {report.name}", report.in_force, _detail(report)) for report in reports
    )
    needed = (
        _data(settings),
        _database(settings),
        _key_file(settings),
        _tls(settings),
        *_repositories(settings),
        _git(),
    )
    return Diagnosis(
        level=level_of(reports),
        can_serve=_confined(settings, reports) and all(check.ok for check in needed),
        checks=(*layers, *needed, enough_descriptors(settings)),
    )


def _confined(settings: Settings, reports: Sequence[LayerReport]) -> bool:
    try:
        demand(settings.isolation, reports)
    except HookledgerError:
        return False
    return True


def _detail(report: LayerReport) -> str:
    if report.in_force:
        return f"in force: {report.found}" if report.found else "in force"
    return f"{report.why_not}. {report.remedy}"


def _data(settings: Settings) -> Check:
    folder = settings.data_dir
    try:
        check_data_directory(settings)
    except HookledgerError as error:
        return Check("data directory", ok=False, detail=str(error))
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free // 1024**2
    if free < _LEAST_FREE_MIB:
        detail = f"{folder} has {free} MiB left; make room, or move it to a larger disk"
        return Check("data directory", ok=False, detail=detail)
    state = "is writable" if folder.exists() else "will be made"
    return Check("data directory", ok=True, detail=f"{folder} {state}, {free} MiB left")


def _database(settings: Settings) -> Check:
    """Read the first page only: `hookledger audit verify` reads every event."""
    if not settings.database.exists():
        return Check("database", ok=True, detail=f"{settings.database} will be made")
    address = f"{settings.database.resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        detail = f"{settings.database} cannot be read ({error}); restore a backup"
        return Check("database", ok=False, detail=detail)
    return Check("database", ok=True, detail=f"{settings.database} can be read")


def _key_file(settings: Settings) -> Check:
    try:
        count = count_keys(settings.key_file, vault_file(settings), utc_now)
    except HookledgerError as error:
        return Check("master key", ok=False, detail=str(error))
    state = f"holds {count} key(s)" if count else "will be made"
    return Check(
        "master key", ok=True, detail=f"{settings.key_file} {state}; keep a copy elsewhere"
    )


def _tls(settings: Settings) -> Check:
    try:
        served = served_certificate(settings)
    except HookledgerError as error:
        return Check("TLS", ok=False, detail=str(error))
    detail = f"serves {settings.tls_cert}" if served else "off: plain HTTP, for loopback only"
    return Check("TLS", ok=True, detail=detail)


def _repositories(settings: Settings) -> Iterator[Check]:
    for source, table in settings.followed.items():
        name = f"repository {source}" if settings.sources else "repository"
        try:
            found = source_settings(source, table)
        except HookledgerError as error:
            yield Check(name, ok=False, detail=str(error))
        else:
            yield Check(name, ok=True, detail=f"{found.location}, branch {found.branch}")


def _git() -> Check:
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return Check("git", ok=False, detail=f"git cannot be run: {error}; install it")
    return Check("git", ok=True, detail=done.stdout.strip())
