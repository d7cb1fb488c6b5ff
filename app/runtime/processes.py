"""A worker's process as the server holds it: by descriptor, so that no other is ever hit."""

from __future__ import annotations

import contextlib
import os
import signal

from app.runtime.raw_output import Emit, RawOutput


class Process:
    """Owns the process descriptor and the reading end of the pipe behind descriptors 1 and 2."""

    def __init__(self, output: int, emit: Emit, log_bytes: int) -> None:
        self.status: int | None = None
        """Exit code, or minus a signal; None as long as it runs, or if it will never be known."""
        self.gone = False
        self.killed = False
        """Whether we ended it."""
        self._descriptor = -1
        self._frozen = False
        self._output = RawOutput(output, emit, log_bytes)

    @property
    def attached(self) -> bool:
        """Whether it can be killed."""
        return self._descriptor >= 0

    def attach(self, descriptor: int) -> None:
        """Take over the descriptor; kill what was to be killed before we could."""
        self._descriptor = descriptor
        if self.killed:
            self._signal(signal.SIGKILL)
        if self.gone:
            self._close()

    def kill(self) -> None:
        """Kill it, now or as soon as it can be."""
        self.killed = True
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it, so that a thread it left behind costs nothing while nobody waits for it."""
        if not self._frozen:
            self._frozen = True
            self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._frozen:
            self._frozen = False
            self._signal(signal.SIGCONT)

    def settle_output(self) -> None:
        """Read the raw output that belongs to what just ended."""
        self._output.settle()

    def exited(self, status: int | None) -> None:
        """Note that it is gone, and let go of it."""
        self.gone, self.status = True, status
        self._output.close()
        self._close()

    def _signal(self, number: int) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
