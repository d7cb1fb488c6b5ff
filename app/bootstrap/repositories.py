"""Which repository is followed, and the adapters that read it, watch it and write to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from app.application.sync_results import SourceSettings
from app.bootstrap.ambient import utc_now
from app.bootstrap.forges import signature_check
from app.bootstrap.sync_policy import sync_policy
from app.domain.errors import Stalled
from app.gitops.access import Credentials
from app.gitops.addresses import is_remote, local_path, parse_address
from app.gitops.fetching import FetchLimits
from app.gitops.formats.choice import FormatSettings
from app.gitops.local_branch import LocalBranch
from app.gitops.new_commits import Person
from app.gitops.remote import RemoteRepository
from app.gitops.signatures.signing import SigningKey
from app.gitops.source import LocalRepository, current_branch
from app.gitops.watcher import Watcher
from app.gitops.write_back import WriteBack
from config.settings import Settings

Repository = LocalRepository | RemoteRepository


def source_settings(settings: Settings) -> SourceSettings:
    """Say which repository is followed; raise ``Stalled`` or ``Rejected`` if it cannot be."""
    policy, path = sync_policy(settings.sync_policy), settings.repo_path.strip("/")
    if is_remote(settings.repo):
        address = parse_address(settings.repo, settings.remote.protocols)
        if not settings.branch:
            raise Stalled("A remote repository is followed on a branch: set HOOKLEDGER_BRANCH.")
        return SourceSettings(settings.source, address.url, settings.branch, path, policy)
    location = local_path(settings.repo).resolve()
    if not location.is_dir():
        raise Stalled(f"There is no repository at {location}; set HOOKLEDGER_REPO.")
    branch = settings.branch or current_branch(location)
    return SourceSettings(settings.source, str(location), branch, path, policy)


def open_repository(settings: Settings, source: SourceSettings) -> Repository:
    """Make the reader of the followed repository; touches no files and fetches nothing yet."""
    signatures = signature_check(settings)
    formats = FormatSettings(settings.repo_format, settings.keywords)
    if not is_remote(settings.repo):
        return LocalRepository(
            location=Path(source.location),
            branch=source.branch,
            path=source.path,
            mirror_dir=_mirror_dir(settings, source),
            signatures=signatures,
            formats=formats,
        )
    remote = settings.remote
    return RemoteRepository(
        parse_address(settings.repo, remote.protocols),
        source.branch,
        source.path,
        _mirror_dir(settings, source),
        Credentials(
            token_file=remote.token_file,
            user=remote.token_user,
            ssh_key_file=remote.ssh_key_file,
            known_hosts_file=remote.known_hosts_file,
            ca_file=remote.ca_file,
        ),
        FetchLimits(remote.fetch_seconds, remote.max_megabytes),
        signatures=signatures,
        formats=formats,
    )


def open_watcher(
    settings: Settings, repository: Repository, reconcile: Callable[[], Awaitable[None]]
) -> Watcher:
    """Have the branch watched, where files can be; else fetched now and then."""
    is_local = isinstance(repository, LocalRepository)
    return Watcher(
        tip=repository.refresh,
        reconcile=reconcile,
        refs=repository.refs if isinstance(repository, LocalRepository) else None,
        heartbeat=settings.poll_interval if is_local else settings.remote.poll_interval,
        clock=utc_now,
    )


def open_writer(settings: Settings, source: SourceSettings) -> WriteBack | None:
    """Make what commits to the repository; None for a remote one, which is only read."""
    if is_remote(settings.repo):
        return None
    key = settings.committer_key
    return WriteBack(
        _mirror_dir(settings, source),
        LocalBranch(Path(source.location), source.branch),
        Person(settings.committer_name, settings.committer_email),
        utc_now,
        sign=SigningKey.read(Path(key).expanduser()).sign if key else None,
    )


def _mirror_dir(settings: Settings, source: SourceSettings) -> Path:
    return settings.data_dir / "mirrors" / source.id
