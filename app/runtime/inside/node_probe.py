"""Starts a confined Node.js worker once, to see whether it comes to wait for calls."""

from __future__ import annotations

import json
import os
import signal
import socket

from app.runtime.inside import namespaces, protocol
from app.runtime.inside.plans import Plan
from app.runtime.inside.worker import Worker

_MEMORY = 256 << 20
_PATIENCE = 8.0

_LOAD = {"checks": True, "log_bytes": 0}


def start(plan: Plan, uid: int | None) -> None:
    """Go through the start of a worker, up to READY; raise ``OSError``."""
    if plan.namespaces:
        namespaces.enter(plan.namespaces)
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    if "mount" in plan.namespaces:
        namespaces.build_tree(plan.readable())
    profile = plan.profiles(Worker())["node"]
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    request = {"memory": _MEMORY, "uid": uid}
    child = os.fork()
    if child == 0:
        profile.run(request, (nothing, theirs.fileno(), writing), profile.ruleset(None))
    theirs.close()
    os.close(writing)
    try:
        _await_ready(ours)
    except OSError as error:
        os.kill(child, signal.SIGKILL)
        with os.fdopen(reading, "rb") as output:
            said = output.read().decode(errors="replace").strip()
        raise OSError(f"it did not start confined: {said or error}") from None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _await_ready(connection: socket.socket) -> None:
    connection.settimeout(_PATIENCE)
    connection.sendall(protocol.message(0, protocol.LOAD, json.dumps(_LOAD).encode()))
    frames = protocol.Frames(protocol.RECEIVE_BYTES)
    kinds: list[int] = []
    while protocol.READY not in kinds:
        data = connection.recv(protocol.RECEIVE_BYTES)
        if not data:
            raise OSError("it ended")
        kinds += [kind for _, kind, _ in frames.feed(data)]
