"""Hooks that behave: what they are given, what becomes of what they return, raise and print."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.domain.outcomes import Call, HookVersion, OutcomeKind


def test_a_hook_gets_its_parameters_by_position_and_answers_with_json(house: Any) -> None:
    version = house.version(
        "def hook(client, scope, audience, context):\n    return [client, scope, audience, context]",
        parameters=("client", "scope", "audience", "context"),
    )
    payload = orjson.dumps({"client": {"id": "c"}, "audience": "é", "other": 1, "context": None})
    outcome = house.do(house.runner.run(version, Call("call", payload, 5)))
    assert outcome.kind is OutcomeKind.SUCCEEDED
    assert orjson.loads(outcome.data) == [{"id": "c"}, None, "é", {}]
    assert outcome.queued > 0
    assert outcome.ran > 0


def test_a_hook_that_returns_nothing_has_no_data(house: Any) -> None:
    outcome = house.call(house.version("def hook(event, context):\n    pass"))
    assert (outcome.kind, outcome.data) == (OutcomeKind.SUCCEEDED, None)


@pytest.mark.parametrize("function", ["def", "async def"])
def test_the_context_has_what_the_platform_adds(house: Any, function: str) -> None:
    script = f"""
import copy, datetime
{function} hook(event, context):
    left = context.deadline - datetime.datetime.now(datetime.timezone.utc)
    return [context["from"], context.get("from"), getattr(context, "from"), context.secrets["KEY"],
            list(context.secrets), context.invocation_id, 4 < left.total_seconds() <= 5,
            copy.deepcopy(context), context.log.name, hasattr(context, "nothing")]
"""
    outcome = house.call(house.version(script, secrets={"KEY": "k"}), timeout=5, name="inv-7")
    text = "a test"
    expected = [text, text, text, "k", ["KEY"], "inv-7", True, {"from": text}, "hook", False]
    assert orjson.loads(outcome.data) == expected


def test_numbers_beyond_64_bits_and_keys_that_are_numbers_are_json(house: Any) -> None:
    version = house.version("def hook(event, context):\n    return {1: 2 ** 70, 'x': float('nan')}")
    assert house.call(version).kind is OutcomeKind.ERRORED  # NaN beside them has no JSON
    version = house.version("def hook(event, context):\n    return {1: 2 ** 70}")
    assert orjson.loads(house.call(version).data.replace(b"1180591620717411303424", b"0")) == {
        "1": 0
    }


def test_what_is_not_json_is_an_error_with_auth0s_text(house: Any) -> None:
    outcome = house.call(house.version("def hook(event, context):\n    return object()"))
    assert outcome.kind is OutcomeKind.ERRORED
    assert orjson.loads(outcome.data)["message"] == (
        "Error when JSON serializing the result of the extension point"
    )


def test_an_error_carries_its_own_members_and_a_stack_without_our_frames(house: Any) -> None:
    script = """
from hookledger import PreUserRegistrationError
def helper():
    raise PreUserRegistrationError("no", "Please, no.")
def hook(event, context):
    helper()
"""
    outcome = house.call(house.version(script))
    assert outcome.kind is OutcomeKind.ERRORED
    error = orjson.loads(outcome.data)
    stack = error.pop("stack")
    assert error == {
        "message": "no",
        "name": "PreUserRegistrationError",
        "friendlyMessage": "Please, no.",
    }
    assert [line for line in stack.splitlines() if "File" in line] == [
        '  File "hook.py", line 6, in hook',
        '  File "hook.py", line 4, in helper',
    ]
    assert 'raise PreUserRegistrationError("no", "Please, no.")' in stack


def test_an_ordinary_error_has_no_name(house: Any) -> None:
    outcome = house.call(house.version("def hook(event, context):\n    return {}['k']"))
    assert set(orjson.loads(outcome.data)) == {"message", "stack"}


def test_a_wrong_signature_is_an_error_of_the_hook(house: Any) -> None:
    outcome = house.call(house.version("def hook(event):\n    pass"))
    assert outcome.kind is OutcomeKind.ERRORED
    assert "takes 1 positional argument" in orjson.loads(outcome.data)["message"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("def hook(event context):\n    pass", "invalid syntax"),
        ("raise RuntimeError('at the top')", "at the top"),
        ("x = 1", "defines no function `hook`"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import sys\nsys.exit(1)", "sys.exit"),
    ],
)
def test_a_script_that_does_not_load_answers_every_call_with_the_reason(
    house: Any, script: str, message: str
) -> None:
    version = house.version(script)
    for _ in range(3):
        outcome = house.call(version)
        assert outcome.kind is OutcomeKind.ERRORED
        assert message in orjson.loads(outcome.data)["message"]


def test_a_script_that_dies_while_loading_is_reported(house: Any) -> None:
    outcome = house.call(house.version("import os\nos._exit(9)"))
    assert outcome.kind is OutcomeKind.CRASHED
    assert "exit code 9" in outcome.detail


def test_secrets_that_cannot_be_opened_are_reported(house: Any) -> None:
    def broken() -> dict[str, str]:
        raise KeyError("destroyed")

    version = house.version("def hook(event, context):\n    pass")
    outcome = house.call(
        HookVersion(
            **{n: getattr(version, n) for n in version.__slots__} | {"open_secrets": broken}
        )
    )
    assert outcome.kind is OutcomeKind.CRASHED
    assert "secrets of hook" in outcome.detail


def test_what_is_printed_is_kept_by_call_and_masked(house: Any) -> None:
    script = """
import logging, os, sys
print("loading with", "x")
def hook(event, context):
    key = context.secrets["KEY"]
    print("first", key, "and on"); print("no newline", end="")
    print(f"to stderr: {key}!", file=sys.stderr)
    sys.stdout.buffer.write(b"bytes\\n")
    context.log.debug("debug %s", key); context.log.error("two\\nlines")
    logging.getLogger("other").warning("a library")
    logging.info("%d", "not a number")
    os.write(1, f"raw {key}\\n".encode())
    return key
"""
    version = house.version(script, secrets={"KEY": "s3cret-value", "SHORT": "on"})
    name = f"printing-{version.key}"
    outcome = house.call(version, name=name)
    assert outcome.data == b'"s3cret-value"'
    kept = sorted((line.stream, line.level, line.text) for line in outcome.logs)
    assert kept == sorted(
        [
            ("stdout", "info", "first *** and on"),
            ("stderr", "error", "to stderr: ***!"),
            ("stdout", "info", "no newlinebytes"),
            ("log", "debug", "debug ***"),
            ("log", "error", "two"),
            ("log", "error", "lines"),
            ("log", "warning", "a library"),
            (
                "log",
                "info",
                "%d (could not be formatted: %d format: a real number is required, not str)",
            ),
            ("stderr", "error", "raw ***"),
        ]
    )
    assert {line.invocation_id for line in outcome.logs} == {name}
    while_loading = next(line for line in house.lines if line.hook_id == version.hook_id)
    assert (while_loading.invocation_id, while_loading.text) == (None, "loading with x")


def test_a_secret_of_several_lines_is_masked_line_by_line(house: Any) -> None:
    version = house.version(
        "def hook(event, context):\n    print(context.secrets['KEY'])\n    print(repr(context.secrets['KEY']))",
        secrets={"KEY": "-----BEGIN-----\nMIIabc\n-----END-----"},
    )
    texts = [line.text for line in house.call(version).logs]
    assert texts == ["***", "***", "***", "'***'"]


def test_lines_of_calls_that_take_turns_do_not_mix(house: Any) -> None:
    version = house.version(
        """
import asyncio
async def hook(event, context):
    for _ in range(5):
        print(event)
        await asyncio.sleep(0.001)
    return event
""",
        max_workers=1,
    )
    names = [f"turns-{number}" for number in range(8)]
    pending = [
        house.later(house.runner.run(version, Call(n, orjson.dumps({"event": n}), 5)))
        for n in names
    ]
    for name, result in zip(names, pending, strict=True):
        outcome = result()
        assert outcome.data == orjson.dumps(name)
        assert [line.text for line in outcome.logs] == [name] * 5


def test_async_calls_run_at_the_same_time(house: Any, payload: Any) -> None:
    version = house.version(
        """
import asyncio
together = 0
async def hook(event, context):
    global together
    together += 1
    while together < 5:
        await asyncio.sleep(0.005)
    return together
""",
        max_workers=1,
    )
    pending = [house.later(house.runner.run(version, payload())) for _ in range(5)]
    assert [result().data for result in pending] == [b"5"] * 5


def test_hooks_may_use_threads_event_loops_and_the_standard_library(house: Any) -> None:
    script = """
import asyncio, concurrent.futures, datetime, decimal, hashlib, hmac, re, uuid, zoneinfo
async def nap(): await asyncio.sleep(0.001); return "rested"
def hook(event, context):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        squares = list(pool.map(lambda n: n * n, range(4)))
    zone = zoneinfo.ZoneInfo("Europe/Rome") if event else None
    return [squares, asyncio.run(nap()), hashlib.sha256(b"x").hexdigest()[:4],
            str(decimal.Decimal("0.10")), len(str(uuid.uuid4())), str(zone)]
"""
    outcome = house.call(house.version(script), event=True)
    assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
    assert orjson.loads(outcome.data) == [[0, 1, 4, 9], "rested", "2d71", "0.10", 36, "Europe/Rome"]


def test_random_numbers_differ_from_worker_to_worker(house: Any) -> None:
    script = "import random\ndef hook(event, context):\n    return random.random()"
    answers = {house.call(house.version(script)).data for _ in range(3)}
    assert len(answers) == 3


def test_a_large_payload_and_a_large_answer_pass(house: Any) -> None:
    version = house.version("def hook(event, context):\n    return event")
    outcome = house.call(version, "x" * 900_000)
    assert outcome.data == orjson.dumps("x" * 900_000)


def test_many_calls_at_once_all_get_their_own_answer(house: Any, payload: Any) -> None:
    version = house.version("def hook(event, context):\n    return event")
    pending = [house.later(house.runner.run(version, payload(n))) for n in range(300)]
    assert [result().data for result in pending] == [str(n).encode() for n in range(300)]


def test_the_servers_umask_does_not_keep_hooks_from_the_standard_library(
    private_house: Any,
) -> None:
    script = """
def hook(event, context):
    import colorsys, zoneinfo
    return str(zoneinfo.ZoneInfo("Europe/Rome"))
"""
    outcome = private_house.call(private_house.version(script))
    assert outcome.data == b'"Europe/Rome"', outcome
