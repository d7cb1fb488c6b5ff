"""A worker's work, done before the fork, so that its copies find it done.

CPython adapts code to what it is used for, fills caches, and counts references: whatever of that a
worker does for the first time, it does on pages that it must copy. Rehearsed, a warm worker has two
thirds of the memory of its own, and starts sooner. Rehearsed is a hook of ours, without secrets.
"""

from __future__ import annotations

import json
import linecache
import socket
import sys
import time

from app.runtime.inside import protocol
from app.runtime.inside.scripts import FUNCTION
from app.runtime.inside.worker import Worker

_CALLS = 64
"""CPython 3.11 begins to adapt a function at its eighth call, and tries again for some calls."""
_SCRIPT = """
import hookledger

def hook(user, context):
    print("rehearsed")
    context.log.info("rehearsed")
    if user["refused"]:
        raise hookledger.PreUserRegistrationError("no", "No.")
    return {"user": {"app_metadata": {"tier": "gold"}}}
"""
_LOAD: dict[str, object] = {
    "script": _SCRIPT,
    "file": "rehearsal.py",
    "name": "rehearsal",
    "parameters": ["user", "context"],
    "packages": None,
    "secrets": {},
    "log_bytes": 65536,
    "egress": None,
    "checks": False,
}


def rehearsed_worker() -> Worker:
    """Return a worker that has run a hook in this process, which is to run nothing but hooks."""
    worker = Worker()
    worker.take_over()
    # Sent as packets, so that nothing is read together; they wait in the socket.
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        here.send(protocol.message(0, protocol.LOAD, json.dumps(_LOAD).encode()))
        for number in range(_CALLS):
            here.send(_call(number))
        here.shutdown(socket.SHUT_WR)
        worker.run(there, ())
    del sys.modules[FUNCTION]
    linecache.clearcache()
    return worker


def _call(number: int) -> bytes:
    payload = {"user": {"email": "a@example.com", "refused": number % 8 == 1}, "context": {}}
    soon = time.monotonic() + 60
    return protocol.call_message(number, soon, 5.0, b"rehearsal", json.dumps(payload).encode())
