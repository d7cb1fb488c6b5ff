"""Which repository a source follows, and the adapters that read it, watch it and write to it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from app.application.syncing.results import SourceSettings
from app.bootstrap.ambient import utc_now
from app.bootstrap.forges import signature_check
from app.bootstrap.sync_policy import sync_policy
from app.domain.errors import Rejected, Stalled
from app.gitops.access import Credentials
from app.gitops.addresses import is_remote, local_path, parse_address
from app.gitops.fetching import FetchLimits
from app.gitops.formats.choice import FormatSettings
from app.gitops.local_branch import LocalBranch
from app.gitops.new_commits import Person
from app.gitops.pushed_anchors import RemoteRef
from app.gitops.remote import RemoteRepository
from app.gitops.signatures.signing import SigningKey
from app.gitops.source import LocalRepository, current_branch
from app.gitops.watcher import Watcher
from app.gitops.write_back import Branch, WriteBack
from config.settings import Settings
from config.sources import SourceTable
from config.tables import RemoteSettings

Repository = LocalRepository | RemoteRepository


def source_settings(
    source: str, table: SourceTable, *, may_be_away: bool = False
) -> SourceSettings:
    """Say what is followed; raise ``Stalled`` or ``Rejected``, naming the source, if it cannot be.

    One that ``may_be_away`` need not be there yet if its branch is named.
    """
    try:
        return _source_settings(source, table, may_be_away=may_be_away)
    except Stalled as error:
        raise Stalled(f"Source `{source}`: {error.message}") from error
    except Rejected as refusal:
        told = f"Source `{source}`: {refusal.message}"
        raise Rejected(told, problems=refusal.problems) from refusal


def _source_settings(source: str, table: SourceTable, *, may_be_away: bool) -> SourceSettings:
    policy, path = sync_policy(table.sync_policy), table.path.strip("/")
    if is_remote(table.repo):
        address = parse_address(table.repo, table.remote.protocols)
        if not table.branch:
            raise Stalled(
                "A remote repository is followed on a branch: name it, by `branch` of the source "
                "or HOOKLEDGER_BRANCH."
            )
        return SourceSettings(source, address.url, table.branch, path, policy)
    location = local_path(table.repo).resolve()
    if not location.is_dir() and not (may_be_away and table.branch):
        raise Stalled(
            f"There is no repository at {location}; correct `repo` of the source, or "
            "HOOKLEDGER_REPO."
        )
    branch = table.branch or current_branch(location)
    return SourceSettings(source, str(location), branch, path, policy)


def open_repository(settings: Settings, source: SourceSettings) -> Repository:
    """Make the reader of a followed repository; touches no files and fetches nothing yet."""
    table = settings.followed[source.id]
    signatures = signature_check(table)
    formats = FormatSettings(table.format, table.keywords)
    if not is_remote(table.repo):
        return LocalRepository(
            location=Path(source.location),
            branch=source.branch,
            path=source.path,
            mirror_dir=_mirror_dir(settings, source),
            signatures=signatures,
            formats=formats,
        )
    remote = table.remote
    return RemoteRepository(
        parse_address(table.repo, remote.protocols),
        source.branch,
        source.path,
        _mirror_dir(settings, source),
        _credentials(remote),
        FetchLimits(remote.fetch_seconds, remote.max_megabytes),
        signatures=signatures,
        formats=formats,
    )


def open_watcher(
    table: SourceTable,
    repository: Repository,
    reconcile: Callable[[], Awaitable[None]],
    threads: anyio.CapacityLimiter,
) -> Watcher:
    """Have the branch watched, where files can be; else fetched now and then."""
    is_local, refs = isinstance(repository, LocalRepository), None
    if isinstance(repository, LocalRepository):
        with contextlib.suppress(Stalled):  # it is away, and polled for
            refs = repository.refs
    return Watcher(
        tip=repository.refresh,
        reconcile=reconcile,
        refs=refs,
        heartbeat=table.poll_interval if is_local else table.remote.poll_interval,
        clock=utc_now,
        threads=threads,
    )


def open_writer(
    settings: Settings, source: SourceSettings, repository: Repository
) -> WriteBack | None:
    """Make what commits to the repository; None for a remote one that is only read."""
    branch: Branch
    if isinstance(repository, LocalRepository):
        branch = LocalBranch(Path(source.location), source.branch)
    elif settings.followed[source.id].remote.push:
        branch = repository
    else:
        return None
    key = settings.committer_key
    return WriteBack(
        _mirror_dir(settings, source),
        branch,
        Person(settings.committer_name, settings.committer_email),
        utc_now,
        sign=SigningKey.read(Path(key).expanduser()).sign if key else None,
    )


def anchor_refs(settings: Settings) -> dict[str, RemoteRef]:
    """Return the refs elsewhere that checkpoints are pushed to, each repository's once, by source.

    There are none without `anchor_ref`, and only such repositories that may be pushed to.
    """
    found: dict[str, RemoteRef] = {}
    for source, table in settings.followed.items():
        remote = table.remote
        if settings.anchor_ref and is_remote(table.repo) and remote.push:
            address = parse_address(table.repo, remote.protocols)
            if all(address != known.address for known in found.values()):
                limits = FetchLimits(remote.fetch_seconds, remote.max_megabytes)
                credentials = _credentials(remote)
                found[source] = RemoteRef(address, settings.anchor_ref, credentials, limits)
    return found


def _credentials(remote: RemoteSettings) -> Credentials:
    return Credentials(
        token_file=remote.token_file,
        user=remote.token_user,
        ssh_key_file=remote.ssh_key_file,
        known_hosts_file=remote.known_hosts_file,
        ca_file=remote.ca_file,
    )


def _mirror_dir(settings: Settings, source: SourceSettings) -> Path:
    return settings.data_dir.absolute() / "mirrors" / source.id
