"""Workers are copies of one that has rehearsed: nothing of the rehearsal, nor of each other, shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from app.domain.outcomes import OutcomeKind

LEFT_BEHIND = """
import gc, linecache, logging, random, sys

def hook(event, context):
    return {
        "sources": [name for name in linecache.cache if "rehears" in name],
        "hook": sys.modules["hook"].hook is hook,
        "secrets": dict(context.secrets),
        "handlers": len(logging.root.handlers),
        "functions": [o.__code__.co_filename for o in gc.get_objects()
                      if type(o) is type(hook) and o.__name__ == "hook"],
    }
"""
PEERS = """
import random

def hook(event, context):
    return random.getrandbits(64)
"""


def test_a_hook_finds_nothing_of_the_rehearsal(house: Any) -> None:
    outcome = house.call(house.version(LEFT_BEHIND, secrets={"KEY": "k"}))

    assert orjson.loads(outcome.data) == {
        "sources": [],
        "hook": True,
        "secrets": {"KEY": "k"},
        "handlers": 1,
        "functions": ["hook.py"],
    }
    assert house.lines == []


def test_copies_do_not_draw_the_same_numbers(house: Any) -> None:
    drawn = {house.call(house.version(PEERS)).data for _ in range(4)}
    assert len(drawn) == 4


def test_a_worker_can_gain_no_capability(house: Any) -> None:
    outcome = house.call(house.version("def hook(event, context):\n    return 1"))
    assert outcome.kind is OutcomeKind.SUCCEEDED

    sets = [_capabilities(pid) for pid in house.processes() if _real_uid(pid) != _real_uid("self")]
    assert sets or _real_uid("self") != 0
    for each in sets:
        assert set(each.values()) == {0}


def _capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    named = (line.split(":\t") for line in lines if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in named}


def _real_uid(pid: int | str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Uid:"))
