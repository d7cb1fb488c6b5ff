"""The folder that holds all a server keeps: begun by some commands, demanded by the others."""

from __future__ import annotations

import os

from app.domain.errors import NotFound, Stalled
from config.settings import Settings, load_settings


def prepare_data_directory(settings: Settings) -> None:
    """Make the data directory, readable by its owner only; raise ``Stalled`` if that fails."""
    for folder in {settings.data_dir, settings.database.parent}:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Stalled(
                f"The data directory {folder} cannot be made: {error.strerror}."
            ) from error
        if not os.access(folder, os.W_OK):
            raise Stalled(f"The data directory {folder} is not writable for this user.")


def check_data_directory(settings: Settings) -> None:
    """Raise ``Stalled`` where ``prepare_data_directory`` would; make nothing."""
    for folder in (settings.data_dir.absolute(), settings.database.parent.absolute()):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if not there.is_dir():
            raise Stalled(f"The data directory {folder} cannot be made: {there} is no folder.")
        if not os.access(there, os.W_OK | os.X_OK):
            what = "is not writable" if there == folder else f"cannot be made: {there} is closed"
            raise Stalled(f"The data directory {folder} {what} for this user.")


def require_ledger(settings: Settings | None = None) -> None:
    """Raise ``NotFound`` where no server has begun anything."""
    database = (settings or load_settings()).database
    if not database.exists():
        raise NotFound(
            f"There is no ledger at {database.absolute()}. Go to the folder in which the "
            "server runs, or say by HOOKLEDGER_DATA_DIR where its files are; `hookledger serve` "
            "begins new ones."
        )
