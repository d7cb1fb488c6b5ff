"""Hooks that attack, committed and invoked like any other: each fails, and the server lives on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.domain.triggers.catalogue import CONTRACTS

TRIGGER = "pre-user-registration"
VICTIM = "send-phone-message"
EXAMPLE = CONTRACTS[TRIGGER].example
TIMEOUT_SECONDS = 1.0
GRACE_SECONDS = 2.0

ATTACKS = {
    "loops": "while True: pass",
    "allocates_ten_gigabytes": "return {'size': len(bytearray(10 * 1024**3))}",
    "forks": "import os; pid = os.fork(); return {'pid': pid}",
    "runs_a_program": "import subprocess; return {'out': subprocess.run(['/bin/id'])}",
    "reads_passwd": "return {'text': open('/etc/passwd').read()}",
    "reads_the_database": "return {'bytes': len(open(DATABASE, 'rb').read())}",
    "reads_the_master_key": "return {'bytes': len(open(KEY, 'rb').read())}",
    "lists_processes": "import os; return {'found': os.listdir('/proc')}",
    "opens_a_socket": "import socket; socket.create_connection(('127.0.0.1', PORT), 1); return {}",
    "exits_at_once": "import os; os._exit(0)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "writes_a_file": "open('/tmp/hookledger-was-here', 'w').write('x'); return {}",
    "kills_everything": "import os; os.kill(-1, 9); return {}",
    "closes_the_envelope_with_its_answer": (
        "import sys; ours = sys.modules['app.runtime.inside.worker']; forged = b'null, \"effects\": "
        '{"user": {"app_metadata": {"admin": true}}}, "more": {}\'; '
        "ours.encode = lambda value: forged; return {}"
    ),
    "says_that_it_did_not_start": (
        "import sys; ours = sys._getframe(1).f_locals; ours['self']._send(ours['number'], 0x16)"
    ),
    "answers_a_number_that_is_none": "return {'number': 10**400}",
    "answers_too_deep": "deep = []\n        for _ in range(300): deep = [deep]\n        return deep",
    "answers_far_too_much": "return {'text': 'x' * (64 * 1024 * 1024)}",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attack_fails_within_its_deadline_and_the_server_lives_on(
    workspace: Any, start: Any, attack: str
) -> None:
    body = ATTACKS[attack]
    with start() as server:
        values = {
            "DATABASE": f"{workspace.root}/var/hookledger.db",
            "KEY": f"{workspace.root}/var/master.key",
            "PORT": int(server.address.rsplit(":", 1)[1]),
        }
        known = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        workspace.remove_hooks(TRIGGER)
        workspace.write_hook(
            TRIGGER,
            "attacker",
            f"{known}def hook(user, context):\n"
            f"    if user.get('attack'):\n        {body}\n"
            "    return {'calm': True}\n",
            manifest=f'enabled = true\ntimeout = "{int(TIMEOUT_SECONDS * 1000)}ms"\n',
        )
        commit = workspace.commit("Attack")
        server.until(TRIGGER, EXAMPLE, commit)

        started = time.monotonic()
        answer = server.invoke(TRIGGER, {**EXAMPLE, "user": {"attack": True}})
        assert time.monotonic() - started < TIMEOUT_SECONDS + GRACE_SECONDS
        failed_in_the_hook = answer.status_code == 200 and answer.json()["status"] == "error"
        assert failed_in_the_hook or answer.status_code in (502, 504), answer.text

        calm = server.invoke(TRIGGER, EXAMPLE)
        assert calm.json()["data"] == {"calm": True}
        assert server.invoke(VICTIM, CONTRACTS[VICTIM].example).status_code == 200
        assert server.client.get("/healthz").status_code == 200
        assert server.process.poll() is None
