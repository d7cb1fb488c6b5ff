"""Checkpoints at a ref of a repository elsewhere: committed in one of our own, and pushed.

Whoever signs does not wait for it: the other end may be slow, or away. A thread of its own pushes
the newest note until it is there. What is at the ref is fetched before, so that several servers
may add to it; it is never moved but forward.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from app.application.ports import Clock
from app.domain.errors import Conflict, HookledgerError
from app.gitops.access import ASKPASS, Credentials, access, secrets_of
from app.gitops.addresses import Address
from app.gitops.anchors import RefAnchor, anchored_notes
from app.gitops.environment import git_command
from app.gitops.fetching import Fetching, FetchLimits, NoSuchRef
from app.gitops.mirror import Mirror

SHORTEST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
"""Seconds until what failed is tried again."""
PATIENCE = 3.0
"""Seconds that the end of the server waits for a note to arrive."""

_ATTEMPTS = 5
"""At a ref that others move as well."""

_log = logging.getLogger("hookledger.transparency")


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """A ref of a repository elsewhere, and how it is reached."""

    address: Address
    name: str
    credentials: Credentials
    limits: FetchLimits

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.name} of {self.address.url}"


class PushedAnchor:
    """An ``Anchor`` whose notes arrive after a while; close it."""

    def __init__(self, remote: RemoteRef, directory: Path, clock: Clock) -> None:
        """Keep a repository of our own in ``directory``; raises as ``RefAnchor`` does."""
        self._remote = remote
        self._copy = _Copy(remote, directory)
        self._commit = RefAnchor(directory, remote.name, clock)
        self._changed = threading.Condition()
        self._waiting: str | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the newest note is not there yet, if that was tried and failed."""
        return self._problem

    def __call__(self, note: str) -> None:
        """Have a note pushed; one that still waits is left out, as this one stands for it."""
        with self._changed:
            self._waiting = note
            self._changed.notify_all()
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="push-checkpoints", daemon=True
                )
                self._thread.start()

    def close(self, patience: float = PATIENCE) -> None:
        """Wait a moment for what is on its way, then give it up."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None or bool(self._problem), patience)
            self._closed = True
            self._changed.notify_all()
        self._copy.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = SHORTEST_PAUSE
        while (note := self._next()) is not None:
            try:
                self._put(note)
            except HookledgerError as error:
                self._fail(f"The checkpoint is not at {self._remote} yet: {error}")
            except Exception as error:  # noqa: BLE001 (later notes may arrive, and this is told)
                _log.exception("a checkpoint could not be pushed")
                self._fail(f"The checkpoint is not at {self._remote}, by a bug: {error}.")
            else:
                pause = SHORTEST_PAUSE
                self._done(note)
                continue
            self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _put(self, note: str) -> None:
        for attempt in range(_ATTEMPTS):
            self._copy.fetch()
            self._commit(note)
            try:
                self._copy.push()
            except Conflict:  # another server was faster
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting is not None)
            return None if self._closed else self._waiting

    def _done(self, note: str) -> None:
        with self._changed:
            self._problem = None
            if self._waiting == note:
                self._waiting = None
            self._changed.notify_all()

    def _fail(self, problem: str) -> None:
        with self._changed:
            if self._problem is None and not self._closed:
                _log.warning("checkpoint_not_anchored", extra={"reason": problem})
            self._problem = problem
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._closed, max(0.0, end - time.monotonic()))


def fetched_notes(remote: RemoteRef) -> list[str]:
    """Return the notes at a ref elsewhere, the newest first; none if there is no such ref.

    Raises ``Stalled`` or ``Transient`` if they cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="hookledger-") as folder:
        directory = Path(folder) / "copy"
        return anchored_notes(directory, remote.name) if _Copy(remote, directory).fetch() else []


class _Copy:
    """A repository of our own that holds the ref."""

    def __init__(self, remote: RemoteRef, directory: Path) -> None:
        self._remote = remote
        self._mirror = Mirror(directory.absolute())
        self._fetching = Fetching(remote.limits)

    def stop(self) -> None:
        self._fetching.stop()

    def fetch(self) -> bool:
        """Take up what is there; False, and what was here stays, if there is no such ref."""
        name = self._remote.name
        self._mirror.remove_abandoned()
        try:
            self._run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--no-show-forced-updates",
                "--",
                self._remote.address.url,
                f"+{name}:{name}",
            )
        except NoSuchRef:
            return False
        return True

    def push(self) -> None:
        """Move the ref there forward; raise ``Conflict`` if it has moved meanwhile."""
        name = self._remote.name
        self._run(
            "push",
            "--quiet",
            "--no-verify",
            "--no-follow-tags",
            "--no-signed",
            "--recurse-submodules=no",
            "--",
            self._remote.address.url,
            f"{name}:{name}",
        )

    def _run(self, *arguments: str) -> None:
        address, credentials = self._remote.address, self._remote.credentials
        allowed = access(address, credentials, self._mirror.keep("askpass", ASKPASS))
        settings = {"fetch.fsckObjects": "true", "fetch.unpackLimit": "1", **allowed.settings}
        command = git_command(self._mirror.directory, arguments, allowed.variables, settings)
        self._fetching.run(command, tuple(secrets_of(address, credentials)))
