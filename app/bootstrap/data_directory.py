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


def require_ledger(settings: Settings | None = None) -> None:
    """Raise ``NotFound`` where no server has begun anything."""
    database = (settings or load_settings()).database
    if not database.exists():
        raise NotFound(
            f"There is no ledger at {database.absolute()}. Go to the folder in which the "
            "server runs, or say by HOOKLEDGER_DATA_DIR and HOOKLEDGER_DATABASE_URL where its "
            "files are; `hookledger serve` begins new ones."
        )
