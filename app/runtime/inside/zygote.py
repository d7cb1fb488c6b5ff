"""The process that workers are forked from: started clean, holding no secret, never running a hook.

It is executed by the server with an empty environment and one socket. A fork of it is a worker in
3 ms where a new interpreter takes 40, and inherits nothing of the server. Two processes: the first
waits, so that nobody is left behind as a zombie; the second, the first of a pid namespace where
there may be one, forks and reaps workers. When the socket closes, all of them end.

Single-threaded for good: a fork copies one thread only.
"""

from __future__ import annotations

import array
import contextlib
import errno
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from app.runtime.inside import kernel, namespaces
from app.runtime.inside.plans import LIBRARIES, Plan
from app.runtime.inside.rehearsal import rehearsed_worker

MESSAGE_BYTES = 65536

PREIMPORTED = (
    "_strptime abc argparse array ast asyncio base64 binascii bisect bz2 calendar cmath "
    "collections collections.abc colorsys concurrent.futures concurrent.futures.thread "
    "contextlib contextvars copy csv ctypes dataclasses datetime decimal difflib email "
    "email.headerregistry email.message email.mime.multipart email.mime.text email.policy "
    "email.utils encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 "
    "encodings.punycode encodings.utf_16 encodings.utf_8_sig enum fnmatch fractions functools "
    "gettext glob graphlib gzip hashlib heapq hmac html html.parser http http.client "
    "http.cookies importlib.metadata importlib.resources inspect io ipaddress itertools json "
    "keyword linecache locale logging logging.config lzma math mimetypes mmap numbers operator "
    "os pathlib pickle platform pprint queue quopri random re reprlib sched secrets select "
    "selectors shlex signal socket sqlite3 ssl statistics string stringprep struct tempfile "
    "textwrap threading time timeit tokenize tomllib traceback types typing unicodedata "
    "urllib.error urllib.parse urllib.request uuid warnings weakref xml.etree.ElementTree zlib "
    "zoneinfo"
)
"""What hooks commonly import. Extension modules with libraries of their own can only be loaded
here, since a worker sees the standard library and nothing else of the disk."""

_POOLED_SIZES = range(48, 513, 16)
_GAPS = 250
"""Of each size: 2 MB in all, shared by all workers, save each 150 kB; more save no more."""

_OUT_OF_MEMORY_SCORE = "500"
"""When the machine runs out of memory, workers go before the server."""


def main(descriptor: str, plan_text: str, packages: str) -> None:
    """Run as a program.

    Given are the control socket's descriptor, the plan as JSON, and, as JSON, the folders on
    ``sys.path`` that only we needed.
    """
    control = socket.socket(fileno=int(descriptor))
    plan = Plan.read(plan_text)
    sys.path[:] = [folder for folder in sys.path if folder not in json.loads(packages)]
    # A hook finds here neither our arguments nor our environment.
    sys.argv[:] = sys.orig_argv[:] = [""]
    os.environ.clear()
    _import_ahead()
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 (a kernel's file)
        score.write(_OUT_OF_MEMORY_SCORE)
    if plan.namespaces:
        namespaces.enter(plan.namespaces)
    kernel.drop_bounding_set()
    if child := os.fork():
        _wait_for_all(child, control)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    _Zygote(control, plan).run()


class _Zygote:
    def __init__(self, control: socket.socket, plan: Plan) -> None:
        self._control = control
        self._children: dict[int, tuple[int, int]] = {}
        """Descriptor of a worker's process to the worker's number and pid."""
        self._nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._nested = namespaces.NestedPids() if "pid" in plan.namespaces else None
        if "mount" in plan.namespaces:
            namespaces.build_tree(plan.readable())
        else:
            os.chdir("/")
        self._packages_root = plan.packages_root
        self._profiles = plan.profiles(rehearsed_worker())

    def run(self) -> NoReturn:
        gc.collect()
        self._filling = _fill_gaps()
        # Collected never again: a collection in a worker would copy the pages it touches.
        gc.freeze()
        self._say({"up": os.getpid()})
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd != self._control.fileno():
                    poll.unregister(fd)
                    self._reap(fd)
                elif (started := self._serve_request()) is not None:
                    poll.register(started, select.POLLIN)

    def _serve_request(self) -> int | None:
        try:
            data, fds, flags, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 3)
        except OSError:
            self._end()
        if not data:
            self._end()
        request = orjson.loads(data)
        try:
            _check_complete(flags)
            pid, process = self._fork(request, *fds)
        except OSError as error:
            self._say({"worker": request["worker"], "failed": str(error)})
            return None
        finally:
            for fd in fds:
                os.close(fd)
        self._children[process] = (request["worker"], pid)
        self._say({"worker": request["worker"], "started": pid}, process)
        return process

    def _fork(
        self, request: Mapping[str, Any], connection: int, output: int, door: int | None = None
    ) -> tuple[int, int]:
        profile = self._profiles[request["language"]]
        ruleset = profile.ruleset(self._packages(request["packages"]))
        if self._nested is not None:
            self._nested.begin()
        try:
            pid = os.fork()
            if pid == 0:
                profile.run(request, (self._nothing, connection, output), ruleset, door)
        finally:
            if self._nested is not None:
                self._nested.end()
        try:
            return pid, os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise

    def _packages(self, name: str | None) -> str | None:
        if name is None:
            return None
        if self._packages_root is None or name in ("", ".", "..") or "/" in name:
            raise FileNotFoundError(f"there is no folder of packages named {name!r}")
        return f"{self._packages_root}/{name}"

    def _reap(self, process: int) -> None:
        number, _ = self._children.pop(process)
        ended = os.waitid(os.P_PIDFD, process, os.WEXITED)
        os.close(process)
        if ended is not None:
            exited = ended.si_code == os.CLD_EXITED
            status = ended.si_status if exited else -ended.si_status
            self._say({"worker": number, "exited": status})

    def _say(self, message: dict[str, Any], *fds: int) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._control.sendmsg([orjson.dumps(message)], ancillary)
        except OSError:
            self._end()

    def _end(self) -> NoReturn:
        for process in self._children:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        for process in self._children:
            os.waitid(os.P_PIDFD, process, os.WEXITED)
        os._exit(0)


def _check_complete(flags: int) -> None:
    """Raise ``OSError`` if descriptors were lost on their way because we may have no more."""
    if flags & socket.MSG_CTRUNC:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _import_ahead() -> None:
    for name in PREIMPORTED.split():
        # A Python built without an optional module serves hooks that do not use it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    ctypes = importlib.import_module("ctypes")
    # For the same reason. The first is also what glibc loads to end a thread, or else aborts.
    for name in LIBRARIES:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)


def _fill_gaps() -> list[bytes]:
    """Take what is free between the objects there are, so that those of a fork stand together.

    CPython would put them there, by size, and each on a page that the fork then copies.
    """
    head = sys.getsizeof(b"")
    return [bytes(size - head) for size in _POOLED_SIZES for _ in range(_GAPS)]


def _wait_for_all(child: int, control: socket.socket) -> NoReturn:
    control.close()
    # In a pid namespace the kernel has killed the rest with its first process; elsewhere workers
    # ask to die with their parent, and come here to be reaped.
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    os._exit(0 if child else 1)
