"""The OpenAPI document: all that is served, nothing else, and well formed.

That answers keep to it is checked with every answer of every test of this folder (conftest).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from starlette.routing import Route

from app.domain.callers.client import SCOPES
from app.web.dashboard.site import Dashboard
from app.web.openapi import HEADERS, problems_of
from app.web.protocol.endpoints import Operation
from app.web.protocol.problem_types import PROBLEM_TYPES
from app.web.routes import OPERATIONS, build_router

AT_TIMES = {"content-disposition", "idempotent-replayed"}
"""Headers of some of the answers."""


@pytest.fixture
def document(site: Any) -> Any:
    return site.get("/openapi.json", token=None).json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def every(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for child in node.values():
            yield from every(child, key)
    elif isinstance(node, list):
        for child in node:
            yield from every(child, key)


def test_it_lists_exactly_what_is_served(site: Any, document: Any) -> None:
    served = set()
    pages = {route.path for route in Dashboard(site.services).routes()}
    for route in build_router(site.services).routes:
        assert isinstance(route, Route)
        if route.path in pages:  # for people; no part of the interface
            continue
        path = re.sub(r"\{\w+\}", "x", route.path)
        allowed = site.ask("OPTIONS", path).headers["allow"].split(", ")
        served |= {(route.path, method) for method in allowed if method not in ("HEAD", "OPTIONS")}
    assert {(path, method) for path, method, _ in operations(document)} == served
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == "1.2.3"


def test_every_schema_is_one(document: Any) -> None:
    for schema in (
        *document["components"]["schemas"].values(),
        *every(document["paths"], "schema"),
    ):
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(document: Any) -> None:
    references = set(every(document, "$ref"))
    for reference in references:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for kind in ("schemas", "headers"):
        for name in document["components"][kind]:
            assert f"#/components/{kind}/{name}" in references, name


def test_ids_are_unique_and_everything_has_a_sentence(document: Any) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in document["tags"]}
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        for parameter in operation["parameters"]:
            assert parameter["description"].endswith(".")


def test_the_parts_of_a_path_are_its_path_parameters(document: Any) -> None:
    for path, _, operation in operations(document):
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")


def test_every_operation_names_its_scope(document: Any) -> None:
    by_id = {operation.id: operation for operation in OPERATIONS}
    for _, _, operation in operations(document):
        scopes = by_id[operation["operationId"]].scopes
        assert operation["security"] == [{"bearer": [scope]} for scope in scopes]
        assert set(scopes) <= set(SCOPES)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
def test_every_declared_problem_and_header_exists(operation: Operation) -> None:
    assert problems_of(operation) <= set(PROBLEM_TYPES)
    for answered in operation.answers.values():
        assert set(answered.headers) <= set(HEADERS)


def test_every_answer_has_the_headers_it_promises(site: Any, make_hook: Any, document: Any) -> None:
    site.put(make_hook())
    for path, method, operation in operations(document):
        plain = path.replace("{trigger}", "pre-user-registration").replace("{id}", "a-hook")
        answer = site.ask(method, plain.replace("{slug}", "rejected"))
        promised = operation["responses"].get(str(answer.status_code), {}).get("headers", {})
        if answer.is_success:
            assert {name.lower() for name in promised} - AT_TIMES <= set(answer.headers)


def test_problems_are_documented_with_their_types(document: Any) -> None:
    described = "".join(r["description"] for r in document["components"]["responses"].values())
    for kind in PROBLEM_TYPES.values():
        assert kind.uri in described
