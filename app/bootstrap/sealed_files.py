"""Which committed files of secrets are sealed to a former key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from app.application.syncing.results import SourceSettings
from app.bootstrap.repositories import open_repository, source_settings
from app.domain.manifests.sealed_files import SEALED_FILE, parts_of
from app.vault.age import AgeIdentities
from config.settings import Settings


def files_to_seal_anew(settings: Settings, age: AgeIdentities) -> Iterator[str]:
    """Name each file at the tips of branches that the current identity cannot open whole.

    Raises ``Stalled`` when a repository cannot be read, ``Rejected`` when its tip is not valid.
    """
    for each in settings.followed.items():
        yield from _files_to_seal_anew(settings, source_settings(*each), age)


def _files_to_seal_anew(
    settings: Settings, source: SourceSettings, age: AgeIdentities
) -> Iterator[str]:
    with contextlib.closing(open_repository(settings, source)) as repository:
        desired = repository.desired(repository.tip(), None)
    for hook in desired.hooks:
        if hook.sealed is None:
            continue
        file = f"{hook.path}/{SEALED_FILE}"
        if not all(age.is_current(part) for part in parts_of(file, hook.sealed)):
            place = f"{source.path}/{file}" if source.path else file
            yield place if len(settings.followed) == 1 else f"{source.id}: {place}"
