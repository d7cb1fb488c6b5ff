"""Make of a run's payload and result what may be kept of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from app.application.journal_views import Content
from app.domain.outcomes import Outcome
from app.domain.triggers.contracts import TriggerContract
from app.domain.triggers.recording import MaskRules
from app.masking.masks import Mask, mask_for

MAX_CONTENT_BYTES = 64 * 1024
"""Of a payload, and of a result; a longer one is left out."""


def content_of(
    contract: TriggerContract, payload: Any, outcome: Outcome, mask: Mask
) -> Content | None:
    """Return masked payload and result; None for a trigger that records neither.

    ``mask`` hides the hook's secrets. What a rule hides in the payload is hidden in the result too,
    wherever the hook put it.
    """
    if contract.record == "none":
        return None
    rules = _rules(contract.id, contract.mask)
    left_out: list[str] = []
    try:
        shown, hidden = rules.apply(payload)
        result, also_hidden = rules.apply(_parsed(outcome.data))
        masks = (mask, mask_for(hidden | also_hidden))
        payload_text = _text("payload", _each_text(shown, *masks), left_out)
        result_text = (
            _text("result", _each_text(result, *masks), left_out)
            if outcome.data is not None
            else None
        )
    except RecursionError:
        return Content(None, None, contract.mask, "Payload or result is nested too deeply.")
    return Content(payload_text, result_text, contract.mask, " ".join(left_out) or None)


@lru_cache(maxsize=512)
def _rules(trigger: str, rules: tuple[str, ...]) -> MaskRules:
    return MaskRules.of(trigger, rules)


def _parsed(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # a violation, of which nothing is worth keeping
        return None


def _each_text(value: Any, *masks: Mask) -> Any:
    """Mask every text of a JSON value, names of members included."""
    if isinstance(value, str):
        for mask in masks:
            value = mask(value)
        return value
    if isinstance(value, dict):
        return {_each_text(k, *masks): _each_text(v, *masks) for k, v in value.items()}
    if isinstance(value, list):
        return [_each_text(item, *masks) for item in value]
    return value


def _text(name: str, value: Any, left_out: list[str]) -> bytes | None:
    text = orjson.dumps(value)
    if len(text) <= MAX_CONTENT_BYTES:
        return text
    left_out.append(f"The {name} has {len(text)} bytes; at most {MAX_CONTENT_BYTES} are recorded.")
    return None
