"""Starting and stopping the server: what goes wrong is a sentence, what is open is closed."""

from __future__ import annotations

import signal
from typing import Any


def test_a_port_that_is_taken_is_said_in_a_sentence(workspace: Any, server: Any) -> None:
    port = server.address.rsplit(":", 1)[1]
    done = workspace.run("serve", "--port", port, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stopped_server_has_written_everything_and_left_nothing(
    start: Any, workspace: Any
) -> None:
    with start() as server:
        answer = server.invoke("send-phone-message", {})
        assert answer.status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == 0
    logs = [path.name for path in (workspace.root / "var").glob("*-wal")]
    assert logs == [], "a log that is left behind means that its database was not closed"


def test_an_interrupt_ends_it_the_same_way(start: Any) -> None:
    with start() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=15) == 0
