"""What schemas are made of: types, lists, objects and words, as JSON Schema writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]


def reference(name: str) -> Schema:
    """Refer to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """Allow null beside a schema."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(
    properties: dict[str, Schema], *, optional: dict[str, Schema] | None = None
) -> Schema:
    """Describe an object; members that are always there, and those that may be."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
    }


def list_of(items: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items}


def words(values: Iterable[str]) -> Schema:
    """Describe one of some words."""
    return {"type": "string", "enum": [str(value) for value in values]}


TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number", "minimum": 0}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
NEXT = or_null(TEXT | {"description": "Give it as `cursor` to continue; null at the end."})
PAGES: dict[str, Schema] = {
    "next": NEXT,
    "previous": or_null(
        TEXT | {"description": "Give it as `cursor` to go back; null at the beginning."}
    ),
}
"""What a list has that can be read both ways."""
POSITION: Schema = COUNT | {"description": "Place of an event in the store, from 1 on."}
COMMIT = or_null(TEXT | {"description": "Id of a git commit."})
