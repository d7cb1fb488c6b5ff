"""What a run says, and the envelope a caller gets: Auth0's shape, plus ``effects``.

Source of the shape: auth0-ext-compilers 6, ``lib/adapter.js``. The worker's bytes are parsed even
where nothing of them is used: pasted in unread, they could close the envelope and write their own
``effects``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from app.domain.errors import Rejected
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.contracts import TriggerContract

NOT_JSON = "The worker answered with something that is not JSON, or is nested too deeply."


class Reading(msgspec.Struct, frozen=True):
    """A run as it counts, once its answer was read outside the worker."""

    outcome: Outcome
    data: Any = None
    """Result, or members of the error, parsed."""
    effects: Mapping[str, Any] | None = None
    """What is honoured; None unless the hook succeeded."""


def parse_json(body: bytes) -> Any:
    """Parse JSON text; raise ``Rejected`` that says where it breaks."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"The body is not valid JSON: {error}.") from None


def read_outcome(
    contract: TriggerContract, payload: Mapping[str, Any], outcome: Outcome
) -> Reading:
    """Read what a run answered; bytes that are no JSON make it a violation.

    A result that the trigger's schema refuses is an error of the hook.
    """
    if not outcome.kind.is_answer:
        return Reading(outcome)
    try:
        data = None if outcome.data is None else orjson.loads(outcome.data)
        # What is nested too deeply to be written cannot be passed on, with an envelope around it.
        orjson.dumps([[[[[[[[data]]]]]]]])
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return Reading(replace(outcome, kind=OutcomeKind.VIOLATED, data=None, detail=NOT_JSON))
    if outcome.kind is OutcomeKind.ERRORED:
        return Reading(outcome, data if isinstance(data, dict) else {"message": str(data)})
    complaint = contract.check_result(data)
    if complaint is not None:
        error = {"message": f"The hook's result does not fit its trigger: {complaint}"}
        refused = replace(outcome, kind=OutcomeKind.ERRORED, data=orjson.dumps(error))
        return Reading(refused, error)
    return Reading(outcome, data, contract.effects(payload, data))


def success(
    contract: TriggerContract,
    text: bytes | None,
    effects: Mapping[str, Any],
    hooks: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """Write the envelope of a result; ``text`` is its JSON, already read once."""
    answer: dict[str, Any] = {"statusCode": 200, "headers": {}, "status": "success"}
    if text is not None and text != b"null":
        answer["data"] = orjson.Fragment(text)
    elif contract.missing_result_is_object:
        answer["data"] = {}
    answer["effects"] = effects
    if hooks:
        answer["hooks"] = hooks
    return orjson.dumps(answer)


def failure(data: Mapping[str, Any], hooks: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """Write the envelope of an error that the caller is to see as the hook's."""
    answer: dict[str, Any] = {"status": "error", "data": data}
    if hooks:
        answer["hooks"] = hooks
    return orjson.dumps(answer)


def envelope_of(
    contract: TriggerContract, payload: Mapping[str, Any], outcome: Outcome
) -> tuple[bytes | None, Outcome]:
    """Write the envelope of one run, None if the hook did not answer; and how the run counts."""
    reading = read_outcome(contract, payload, outcome)
    if reading.effects is not None:
        return success(contract, reading.outcome.data, reading.effects), reading.outcome
    if reading.outcome.kind is OutcomeKind.ERRORED:
        return failure(reading.data), reading.outcome
    return None, reading.outcome
