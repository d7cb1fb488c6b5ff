"""Tries each isolation layer in a throw-away child and prints what happened, as JSON.

A layer counts as in force when what it is there to stop was seen to be stopped, not when the kernel
accepted the call.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial

from app.runtime.inside import (
    kernel,
    landlock,
    namespaces,
    node_probe,
    notifications,
    plans,
    sandbox,
    seccomp,
)

_PATIENCE = 10
"""Seconds a probe may take before it counts as failed."""

_MUCH = 1 << 30

Probe = Callable[[], None]
"""Returns if the layer holds; raises otherwise."""


def main(wanted: str, _nothing: str, packages: str) -> None:
    """Run as a program: print the list of ``[layer, why it is not in force]``.

    Given are, as JSON, what ``doctor.probe`` wants to know, and the folders on ``sys.path`` that
    only we needed.
    """
    sys.path[:] = [folder for folder in sys.path if folder not in json.loads(packages)]
    given = json.loads(wanted)
    uid, namespaces_wanted, data_dir = given["uid"], given["namespaces"], given["data_dir"]
    results = [[name, _tried(probe)] for name, probe in _layer_probes(uid, namespaces_wanted)]
    working = {name for name, why_not in results if not why_not}
    plan = plans.Plan.read(
        json.dumps(
            {
                "namespaces": [name for name in namespaces.FLAGS if f"{name} namespace" in working],
                "landlock": "landlock" in working,
                "seccomp": "seccomp" in working,
                "node": given["node"],
                "packages_root": given["packages_root"],
            }
        )
    )
    others: list[tuple[str, Probe]] = []
    if plan.node is not None:
        others.append(
            ("Node.js", partial(node_probe.start, plan, uid if os.getuid() == 0 else None))
        )
    if plan.packages_root is not None:
        others.append(("packages", partial(_packages, plan, uid)))
    if data_dir is not None:
        others.append(("data directory", partial(_data_directory, plan, data_dir)))
    results += [[name, _tried(probe)] for name, probe in others]
    sys.stdout.write(json.dumps(results))


def _layer_probes(uid: int, namespaces_wanted: bool) -> list[tuple[str, Probe]]:
    switched_off = [(f"{name} namespace", _switched_off) for name in namespaces.FLAGS]
    return [
        ("no-new-privileges", _no_new_privileges),
        ("seccomp", _seccomp),
        ("landlock", _landlock),
        ("memory", _memory),
        ("uid", partial(_uid, uid)),
        ("processes", partial(_processes, uid)),
        ("process descriptors", _process_descriptors),
        *(_namespace_probes() if namespaces_wanted else switched_off),
        ("egress", _egress),
        ("standard library", partial(_standard_library, uid, namespaces_wanted)),
    ]


def _namespace_probes() -> list[tuple[str, Probe]]:
    # Root needs no user namespace to make the others.
    user: list[tuple[str, Probe]] = [("user namespace", partial(namespaces.enter, ["user"]))]
    return [
        *([] if os.getuid() == 0 else user),
        ("pid namespace", _pid_namespace),
        ("mount namespace", _mount_namespace),
        ("network namespace", _network_namespace),
        ("ipc namespace", partial(_enter, "ipc")),
        ("uts namespace", partial(_enter, "uts")),
    ]


def _switched_off() -> None:
    raise OSError("namespaces are switched off")


def _tried(probe: Probe) -> str:
    """Return why the layer is not in force, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _report(probe, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    if text == "ok":
        return ""
    return text or "the probe was killed"


def _report(probe: Probe, writing: int) -> None:
    signal.alarm(_PATIENCE)
    answer = "ok"
    try:
        probe()
    except BaseException as error:  # noqa: BLE001 (whatever happens is the answer)
        answer = str(error) or type(error).__name__
    os.write(writing, answer.encode())
    os._exit(0)


def _no_new_privileges() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _expect(kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS) == 1, "the setting did not stick")


def _seccomp() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(seccomp.encode(seccomp.assemble(kernel.architecture())))
    for attempt in (partial(socket.socket, socket.AF_INET), os.fork):
        _expect_refusal(attempt, "the filter was accepted but lets forbidden calls through")


def _landlock() -> None:
    ruleset = landlock.build_ruleset([])
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict_self(ruleset)
    _expect_refusal(
        partial(os.open, "/", os.O_RDONLY), "the rules were accepted but files can be opened"
    )


def _memory() -> None:
    sandbox.set_limit(resource.RLIMIT_AS, 256 << 20)
    try:
        bytearray(_MUCH)
    except MemoryError:
        return
    raise OSError("the limit was accepted but more memory was granted")


def _uid(uid: int) -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _expect(os.getuid() != 0, "still root")


def _processes(uid: int) -> None:
    if os.getuid() != 0:
        raise OSError("the server does not run as root, so workers share its user's count")
    _uid(uid)
    sandbox.set_limit(resource.RLIMIT_NPROC, 1)
    _expect_refusal(os.fork, "the limit was accepted but a process was made")


def _process_descriptors() -> None:
    descriptor = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(descriptor, signal.SIGCONT)


def _pid_namespace() -> None:
    _enter("pid")
    child = os.fork()
    if child == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    _, status = os.waitpid(child, 0)
    _expect(status == 0, "the first process of the namespace is not number 1")


def _mount_namespace() -> None:
    readable = plans.readable_paths()
    _enter("mount")
    namespaces.build_tree(readable)
    for path in ("/etc/passwd", "/proc", "/dev"):
        _expect(not os.path.exists(path), f"{path} can still be seen")  # noqa: PTH110 (a bare look)
    _expect(os.access(readable[0], os.R_OK), f"{readable[0]} cannot be read")


def _network_namespace() -> None:
    _enter("network")
    names = {name for _, name in socket.if_nameindex()}
    _expect(names <= {"lo"}, f"other interfaces can be seen: {', '.join(sorted(names))}")


def _egress() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    ours, theirs = socket.socketpair()
    waiting = threading.Event()
    listeners: list[int] = []

    def serve() -> None:
        waiting.wait()
        found = None
        while found is None:
            found = notifications.receive(listeners[0])
        notifications.replace(listeners[0], found, ours.fileno())
        notifications.answer(listeners[0], found)

    # The filter is this thread's alone.
    threading.Thread(target=serve, daemon=True).start()
    listeners.append(notifications.install())
    waiting.set()
    with socket.socket() as connecting:
        connecting.settimeout(_PATIENCE)
        connecting.connect(("127.0.0.1", 1))
        theirs.send(b"!")
        _expect(connecting.recv(1) == b"!", "a connection was made as it was asked for")


def _standard_library(uid: int, namespaces_wanted: bool) -> None:
    folder = os.path.dirname(os.__file__)  # noqa: PTH120 (a bare look)
    if namespaces_wanted:
        with contextlib.suppress(OSError):
            _mount_namespace()
    if os.getuid() == 0:
        _uid(uid)
    try:
        os.listdir(folder)  # noqa: PTH208 (a bare look)
    except OSError as error:
        raise OSError(f"{folder} cannot be read by user {uid}: {error.strerror}") from None


def _packages(plan: plans.Plan, uid: int) -> None:
    """Look as a worker does at the folder that packages are in."""
    root = str(plan.packages_root)
    if "mount" in plan.namespaces:
        namespaces.enter(plan.namespaces)
        namespaces.build_tree(plan.readable())
    if os.getuid() == 0:
        _uid(uid)
    _expect(os.access(root, os.R_OK | os.X_OK), f"{root} cannot be read by user {os.getuid()}")


def _data_directory(plan: plans.Plan, data_dir: str) -> None:
    """See to it that nothing a worker may read holds what the server keeps."""
    kept = os.path.realpath(data_dir)
    for path in plan.readable():
        folder = os.path.realpath(path)
        _expect(
            os.path.commonpath((folder, kept)) != folder, f"hooks may read {path}, which holds it"
        )


def _enter(name: str) -> None:
    first = [] if os.getuid() == 0 else ["user"]
    namespaces.enter([*first, name])


def _expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise OSError(complaint)


def _expect_refusal(attempt: Callable[[], object], complaint: str) -> None:
    try:
        made = attempt()
    except OSError:
        return
    if made == 0:
        os._exit(0)
    raise OSError(complaint)
