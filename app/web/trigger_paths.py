"""The OpenAPI document with a path of its own for each trigger that a repository defines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from app.application.views import ActiveTable
from app.domain.triggers.catalogue import CONTRACTS, contract_of
from app.domain.triggers.contracts import TriggerContract

_INVOKE = "/v1/triggers/{trigger}/invoke"


def with_triggers(document: bytes, table: ActiveTable) -> bytes:
    """Add what the table defines; the text is made once for each set of definitions."""
    defined = {row.id: row.definition for row in table.triggers.values() if row.definition}
    return _with(document, tuple(sorted(defined.items()))) if defined else document


@lru_cache(maxsize=4)
def _with(document: bytes, defined: tuple[tuple[str, str], ...]) -> bytes:
    described: dict[str, Any] = orjson.loads(document)
    for trigger, definition in defined:
        if trigger not in CONTRACTS:
            path = _INVOKE.replace("{trigger}", trigger)
            operation = _operation(described, contract_of(trigger, definition))
            described["paths"][path] = {"post": operation}
    return orjson.dumps(described)


def _operation(described: dict[str, Any], contract: TriggerContract) -> dict[str, Any]:
    general = described["paths"][_INVOKE]["post"]
    words = "".join(part.capitalize() for part in contract.id.split("-"))
    operation: dict[str, Any] = {
        **general,
        "operationId": f"invoke{words}",
        "summary": contract.title,
        "parameters": [p for p in general["parameters"] if p["name"] != "trigger"],
    }
    if contract.purpose:
        operation["description"] = contract.purpose
    if contract.payload_schema is not None:
        content = {"application/json": {"schema": contract.payload_schema}}
        operation["requestBody"] = {**general["requestBody"], "content": content}
    return operation
