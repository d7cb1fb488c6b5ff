"""Git processes of one reader: started one way, limited in memory and time, and always reaped."""

from __future__ import annotations

import contextlib
import logging
import resource
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from git.cmd import Git

from app.domain.errors import Stalled, Transient
from app.gitops.environment import git_command

_log = logging.getLogger("hookledger.gitops")

_MEMORY_BYTES = 1024 * 1024 * 1024
"""A pack may rebuild a small object from a base of any size; git dies then, not the server."""


class GitProcesses:
    """Starts git on a repository of our own."""

    def __init__(self, git_dir: Path) -> None:
        # git is started in this folder, from which a relative path would lead elsewhere.
        self._git_dir = git_dir.absolute()
        self._git = Git(str(self._git_dir))
        self._running: dict[int, Any] = {}
        self._expired = False

    @contextlib.contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Kill every process when ``seconds`` have passed, so that no read waits for ever.

        Opening an object may block without end: on a dead network share, or on a FIFO that
        somebody put in its place.
        """
        self._expired = False
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def start(self, arguments: Sequence[str], stdin: int | IO[bytes] | None) -> Any:
        """Start git; the result behaves like a ``subprocess.Popen`` with binary pipes.

        Raises ``Transient`` when the deadline has passed: nothing would end the new process.
        """
        if self._expired:
            raise self.failed("")
        process: Any = self._git.execute(
            git_command(self._git_dir, arguments),
            istream=stdin,  # type: ignore[arg-type]  # GitPython's hint forgets subprocess.PIPE
            as_process=True,
            # A Ctrl-C is for the server, which ends its children in good order.
            start_new_session=True,
        )
        self._running[process.pid] = process
        with contextlib.suppress(ProcessLookupError):
            limits = (_MEMORY_BYTES, _MEMORY_BYTES)
            resource.prlimit(process.pid, resource.RLIMIT_DATA, limits)
        return process

    def end(self, process: Any) -> None:
        """Kill and reap a process, and close its pipes; one that has ended already may be given."""
        inner = process.proc
        if inner is None:
            return
        self._running.pop(inner.pid, None)
        inner.kill()
        process._terminate()  # noqa: SLF001 (what GitPython's own clear_cache comes to)

    def end_all(self) -> None:
        for process in list(self._running.values()):
            self.end(process)

    def failed(self, what: str) -> Stalled | Transient:
        """Say why git did not answer; ``what`` is a clause for the case that it gave up itself."""
        if self._expired:
            return Transient("git took too long to answer and was stopped.", retry_after=5.0)
        return Stalled(f"The repository cannot be read: {what}.")

    @property
    def expired(self) -> bool:
        """Whether the last deadline has passed."""
        return self._expired

    def _expire(self) -> None:
        self._expired = True
        _log.warning("git_stopped", extra={"reason": "it took too long to answer"})
        for process in list(self._running.values()):
            if (inner := process.proc) is not None:
                inner.kill()
