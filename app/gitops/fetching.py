"""``git fetch`` and ``push`` as processes that may take so long, write so much, and leave nothing.

What is at the other end may be slow, hang, lie or never stop sending. So the process has a session
of its own, which ends as a whole; its limits are set before git begins; and of what it says, only
the end is kept.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import Conflict, HookledgerError, Stalled, Transient
from app.gitops.environment import program

_MEMORY_BYTES = 1024 * 1024 * 1024
_BLOCK = 512
"""Unit of ``ulimit -f`` in POSIX."""
_KEPT_BYTES = 8192
_SHOWN = 300
_GRACE_SECONDS = 1.0
_ATTENTION_SECONDS = 0.25
"""How soon it is noticed that the server stops."""
_LIMITED = f'ulimit -d {_MEMORY_BYTES // 1024} && ulimit -f "$1" && shift && exec "$@"'
"""Set before git begins, as its own children inherit them."""

_REFUSED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|Permission denied"
    r"|Host key verification failed|returned error: (?:401|403)|Access denied|Invalid credentials",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"repository '.*' not found|returned error: (?:404|410)|Repository not found"
    r"|does not appear to be a git repository|returned error: 30\d|unable to update url base",
    re.IGNORECASE,
)
_NO_REF = re.compile(r"couldn't find remote ref|Couldn't find remote ref")
_OTHER_HASH = re.compile(r"mismatched algorithms|object-format|unknown object format")
_CHECKS = re.compile(r"fsck error|badTree|hasDot|has(?:Null|Zero)|: contains |duplicateEntries")
_TOO_LARGE = re.compile(
    r"File too large|signal 25"
    # What receives the pack was ended by a limit, and could not say so.
    r"|\A(?:fatal|error): fetch-pack: invalid index-pack output\Z"
)
_UNTRUSTED = re.compile(r"certificate|SSL certificate problem|server certificate verification")
_DAMAGED = re.compile(
    r"bad object|loose object .* corrupt|object file .* is empty|packfile .* (?:corrupt|is not)"
    r"|unable to read tree|missing (?:blob|tree|commit)|bad config|not a git repository"
    r"|index file .* is (?:too small|corrupt)|bad signature|cannot lock ref|unable to resolve ref"
)


_MOVED = re.compile(
    r"stale info|fetch first|non-fast-forward|incorrect old value|reference already"
)
_DECLINED = re.compile(r"\[remote rejected\]|protected branch|denied to|unpacker error")


class DamagedMirror(Stalled):
    """The mirror of a remote repository is damaged."""


class NoSuchRef(Stalled):
    """The remote repository has no such branch or tag."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a fetch may take."""

    seconds: float = 60.0
    megabytes: int = 512


class Fetching:
    """Runs one fetch at a time; ``stop`` may be called from any thread."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = limits
        self._stopped = threading.Event()

    def run(self, command: Sequence[str], secrets: Collection[str]) -> None:
        """Run a git process to its end.

        Raises ``Transient`` for what may pass, ``NoSuchRef``, ``DamagedMirror``, or ``Stalled``.
        ``secrets`` are left out of what is said.
        """
        blocks = self._limits.megabytes * 1024 * 1024 // _BLOCK
        process = self._start([program("sh"), "-c", _LIMITED, "sh", str(blocks), *command])
        try:
            said, in_time = self._read_to_end(process)
        finally:
            _end_session(process)
        if self._stopped.is_set():
            raise Transient("The fetch was interrupted, as the server stops.")
        if not in_time:
            raise Transient(
                f"The remote repository did not answer within {self._limits.seconds:g} seconds, "
                "and the fetch was stopped."
            )
        if process.returncode != 0:
            raise self._failed(process.returncode, _cleaned(said, secrets))

    def stop(self) -> None:
        """End a running fetch within a moment, and refuse new ones."""
        self._stopped.set()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        if self._stopped.is_set():
            raise Transient("The server stops; nothing is fetched any more.")
        return subprocess.Popen(
            command,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _read_to_end(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bool]:
        """Return the end of what was said, and whether git ended by itself."""
        if process.stderr is None:
            raise AssertionError("the process was started with a pipe")
        end = time.monotonic() + self._limits.seconds
        kept, descriptor = b"", process.stderr.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not self._stopped.is_set() and (left := end - time.monotonic()) > 0:
            if not poll.poll(min(left, _ATTENTION_SECONDS) * 1000):
                continue
            piece = os.read(descriptor, _KEPT_BYTES)
            if not piece:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_SECONDS)
                    return kept, True
                break
            kept = (kept + piece)[-_KEPT_BYTES:]
        return kept, False

    def _failed(self, status: int, said: str) -> HookledgerError:
        ours = "; ".join(line for line in said.split("; ") if not line.startswith("remote:"))
        shown = f" (git: {said[-_SHOWN:]})" if said else f" (git ended with {status})"
        stalled = {
            _NO_REF: "The remote repository has no such branch or tag",
            _OTHER_HASH: "The remote repository names its objects by SHA-256, which is not "
            "supported; use a SHA-1 one",
            _REFUSED: "The remote repository lets us not in; check the token or deploy key of the "
            "source, and the pinned host key",
            _UNTRUSTED: "The certificate of the remote repository is not trusted; correct it, or "
            "name the authority in `ca_file`",
            _ABSENT: "There is no such repository at that location, or it has moved (redirects are "
            "not followed), or the credentials may not see it; check `location`",
            _DECLINED: "The remote repository refuses the commit: a rule or a hook of its own, or "
            "credentials that may only read",
            _CHECKS: "The remote repository sent objects that git's own checks refuse",
        }
        if _MOVED.search(ours):
            return Conflict(
                "The branch of the remote repository has moved meanwhile; look at what is there "
                f"now, and try again.{shown}"
            )
        for pattern, sentence in stalled.items():
            if pattern.search(ours):
                kind = NoSuchRef if pattern is _NO_REF else Stalled
                return kind(f"{sentence}.{shown}")
        if -status == signal.SIGXFSZ or _TOO_LARGE.search(ours):
            return Stalled(
                f"The remote repository sends more than {self._limits.megabytes} MB; raise "
                "`max_megabytes` of the source if that is right."
            )
        if _DAMAGED.search(ours):
            return DamagedMirror(f"The mirror is damaged.{shown}")
        return Transient(f"The remote repository cannot be reached at the moment.{shown}")


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """End git and all it started, and reap them.

    First what git waits for, so that git reaps it, removes its locks and ends: where process 1
    reaps nobody, as in many containers, what git leaves behind would stay for ever.
    """
    if process.poll() is None:
        for leaf in _leaves(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(leaf, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _leaves(pid: int) -> list[int]:
    """List the processes below ``pid`` that have none below themselves."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [leaf for child in children for leaf in _leaves(int(child))] or [pid]


def _signal(session: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, number)


def _cleaned(said: bytes, secrets: Collection[str]) -> str:
    """Put on one line what git said, without secrets and without what steers a terminal."""
    text = said.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, "***")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "; ".join(
        "".join(character for character in line if character.isprintable())
        for line in lines
        if line
    )
