"""Whether a server runs on a data folder, and where: a lock that ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator

from app.domain.errors import Stalled
from config.settings import Settings

_LOCK = "serving.lock"
_MOST_BYTES = 1000
_ATTEMPTS, _PAUSE = 20, 0.01
"""Whoever asks whether a server runs holds the lock for a moment."""


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Say that this process serves, and at which address; nobody else serves or restores there.

    Raises ``Stalled`` while another server runs, or a backup is being restored.
    """
    with contextlib.ExitStack() as stack:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(BlockingIOError):
                descriptor = stack.enter_context(_locked(settings))
                break
            threading.Event().wait(_PAUSE)
        else:
            raise Stalled(_in_the_way(settings))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, settings.address.encode(), 0)
        yield


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Keep servers from starting; raise ``Stalled`` if one runs."""
    try:
        with _locked(settings) as descriptor:
            os.ftruncate(descriptor, 0)
            yield
    except BlockingIOError:
        raise Stalled(
            f"A server is running on {settings.data_dir}; stop it, then restore."
        ) from None


def served_address(settings: Settings) -> str:
    """Return where the server of this data folder is reached; if none runs, where it would be."""
    try:
        with _locked(settings, os.O_RDWR):
            return settings.address
    except BlockingIOError:
        return _written(settings) or settings.address
    except OSError:
        return settings.address


def _in_the_way(settings: Settings) -> str:
    if not (address := _written(settings)):
        return f"A backup is being restored to {settings.data_dir}; start afterwards."
    return (
        f"A server runs on the data folder {settings.data_dir} already, at {address}; stop it, or "
        "give this one a folder of its own (HOOKLEDGER_DATA_DIR)."
    )


def _written(settings: Settings) -> str:
    """Return the address that the lock's holder wrote; empty while a backup is being restored."""
    written = (settings.data_dir / _LOCK).read_bytes()[:_MOST_BYTES]
    return written.decode("utf-8", "replace")


@contextlib.contextmanager
def _locked(settings: Settings, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    descriptor = os.open(settings.data_dir / _LOCK, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)
