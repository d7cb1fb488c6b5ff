"""One run of one hook: what is asked of a worker, and how it ended.

What is made anew for every call is a struct: a frozen dataclass takes ten times as long to make.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

Language = Literal["python", "node"]
Mode = Literal["warm", "fresh"]
SCRIPT_FILES: Mapping[Language, str] = MappingProxyType({"python": "hook.py", "node": "hook.js"})
"""What a script is called if nothing else is said."""
Level = Literal["debug", "info", "warning", "error"]


class OutcomeKind(enum.StrEnum):
    """How an invocation ended. The first two are the hook's own doing; the rest we report."""

    SUCCEEDED = "succeeded"
    """The hook returned; ``Outcome.data`` is its result as JSON."""
    ERRORED = "errored"
    """The hook raised; ``Outcome.data`` is the error's members as JSON."""
    TIMED_OUT = "timed_out"
    """The deadline passed; the worker was killed."""
    OUT_OF_MEMORY = "out_of_memory"
    """The worker hit its memory limit and died of it."""
    CRASHED = "crashed"
    """The worker ended without an answer: exit, signal or a broken interpreter."""
    VIOLATED = "violated"
    """The worker sent what a worker never sends, or more than it may; it was killed."""
    OVERLOADED = "overloaded"
    """No worker was free before the deadline; the hook did not start."""

    @property
    def is_answer(self) -> bool:
        """Tell whether the hook itself answered, by a result or by an error of its own."""
        return self in (OutcomeKind.SUCCEEDED, OutcomeKind.ERRORED)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line a hook wrote, with secrets already masked."""

    invocation_id: str | None
    """None when the line was written while no call was running (module level, worker start)."""
    hook_id: str
    at: datetime
    level: Level
    stream: Literal["stdout", "stderr", "log"]
    text: str


class Call(msgspec.Struct, frozen=True):
    """One question to a hook version."""

    invocation_id: str
    payload: bytes
    """The trigger's payload, a JSON object, already validated."""
    timeout: float
    """Seconds the hook may run once it has started; also the most it may wait to start."""
    request: bytes = b""
    """What ``context.webtask`` shows of the caller's request: a JSON object with ``headers``,
    ``query`` and ``params``; empty if there is nothing to show. Never holds credentials."""
    kept_lines: int = 20
    """How many of its last log lines the outcome carries."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process may use; exceeding a limit ends it."""

    memory_bytes: int = 256 * 1024 * 1024
    result_bytes: int = 1024 * 1024
    log_bytes_per_call: int = 64 * 1024
    max_workers: int = 2


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How the worker processes of a version live."""

    mode: Mode = "warm"
    """``warm``: one process serves many calls; ``fresh``: every call has a process of its own."""
    concurrency: int | None = None
    """Calls that one process runs at a time; None: as suits the kind of hook."""
    max_calls: int | None = None
    """Calls after which a process is replaced; None: never for this reason."""
    max_age: float | None = None
    """Seconds after which a process is replaced; None: never for this reason."""
    min_ready: int = 1
    """Processes that wait, script loaded, while the hook is enabled."""


@dataclass(frozen=True, slots=True)
class HookVersion:
    """Exactly what runs: two versions with one key are interchangeable."""

    key: str
    """Changes whenever script, parameters, secrets or limits do."""
    hook_id: str
    name: str
    trigger: str
    language: Language
    script: str
    parameters: tuple[str, ...]
    """Names of the payload members passed by position, e.g. ("user", "context")."""
    open_secrets: Callable[[], Mapping[str, str]] = field(repr=False)
    """Called when a worker starts, never on the hot path; its values are masked in log lines."""
    network: tuple[str, ...] = ()
    packages: str | None = None
    """Name of the folder that holds its packages, in the package cache; None if it has none."""
    limits: Limits = Limits()
    lifecycle: Lifecycle = Lifecycle()


class Outcome(msgspec.Struct, frozen=True):
    """How an invocation ended, as seen from outside the worker."""

    kind: OutcomeKind
    data: bytes | None = None
    """JSON text for an answer (None: the hook returned nothing); None for everything else."""
    detail: str = ""
    """A sentence for the caller when ``kind`` is not an answer."""
    logs: tuple[LogLine, ...] = ()
    """The last lines of this call, for error messages and records."""
    queued: float = 0.0
    """Seconds between the request and the start of the run."""
    ran: float = 0.0
    """Seconds the hook ran."""
    worker: int | None = None
    """Number of the process that answered; None if none did."""


@dataclass(frozen=True, slots=True)
class ScriptToCheck:
    """A script that a revision wants to deploy."""

    file: str
    language: Language
    script: str
    parameters: tuple[str, ...]
