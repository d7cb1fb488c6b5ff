"""Whether an answer keeps to what the OpenAPI document says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from app.web.openapi import openapi_document
from app.web.routes import OPERATIONS

_DOCUMENT = openapi_document(OPERATIONS, "1.2.3")


def _strict(schema: Any) -> Any:
    """Let objects have no members but those listed, so that the document cannot fall behind."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and "required" in schema:
        closed.setdefault("unevaluatedProperties", False)
    return closed


_REGISTRY: Any = Registry().with_resource(
    "urn:document", DRAFT202012.create_resource(_strict(_DOCUMENT))
)


def keeps_to_the_document(method: str, path: str, answer: httpx.Response) -> None:
    """Check status, headers, media type and body against what the OpenAPI document promises."""
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    responses = _responses(method, path)
    if responses is None:
        assert answer.status_code in (204, 404, 405, 429)
        return
    promised = responses[str(answer.status_code)]
    if "$ref" in promised:
        promised = _DOCUMENT["components"]["responses"][promised["$ref"].rpartition("/")[2]]
    if answer.status_code == 204:
        assert answer.content == b""
        return
    media = answer.headers["content-type"]
    content = promised["content"].get(media, promised["content"].get(media.partition(";")[0]))
    assert content is not None, media
    if "json" in media and method != "HEAD":
        documents = answer.content.splitlines() if "ndjson" in media else [answer.content]
        for document in documents:
            validate(orjson.loads(document), content["schema"])


def validate(document: Any, schema: Mapping[str, Any]) -> None:
    absolute = {"$ref": "urn:document" + schema["$ref"]}
    Draft202012Validator(absolute, registry=_REGISTRY).validate(document)


def _responses(method: str, path: str) -> Any:
    plain = path.partition("?")[0]
    for template, operations in _DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), plain):
            operation = operations.get({"HEAD": "get"}.get(method, method.lower()))
            return operation["responses"] if operation else None
    return None
