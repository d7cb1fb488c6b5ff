"""Lists: both shapes, pages, filters and fields, as each generation of clients asks for them."""

from __future__ import annotations

from typing import Any

import pytest

PRE = "pre-user-registration"


@pytest.fixture
def many(tenant: Any) -> Any:
    for number in range(60):
        tenant.create(name=f"hook-{number:02d}")
    return tenant


def names(hooks: Any) -> list[str]:
    return [hook["name"] for hook in hooks]


def test_without_a_query_everything_is_a_bare_array_oldest_first(many: Any) -> None:
    hooks = many.ask("GET", "/hooks").json()
    assert names(hooks) == [f"hook-{number:02d}" for number in range(60)]
    assert list(hooks[0]) == ["id", "name", "script", "dependencies", "enabled", "triggerId"]


def test_totals_stand_before_the_one_array(many: Any) -> None:
    page = many.ask("GET", "/hooks?page=1&per_page=50&include_totals=true").json()
    assert list(page) == ["total", "start", "limit", "hooks"]
    assert (page["total"], page["start"], page["limit"]) == (60, 50, 50)
    assert names(page["hooks"]) == [f"hook-{number}" for number in range(50, 60)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("per_page=100", 60),
        ("per_page=7", 7),
        ("page=0", 50),
        ("page=1", 10),
        ("page=2", 0),
        ("page=999999998&per_page=100", 0),
        ("per_page=0", 0),
        ("include_totals=false", 60),
    ],
)
def test_a_page_past_the_end_is_empty_and_no_error(many: Any, query: str, count: int) -> None:
    answer = many.ask("GET", f"/hooks?{query}")
    assert answer.status_code == 200
    assert len(answer.json()) == count


def test_totals_of_everything_have_a_limit_that_holds_everything(many: Any) -> None:
    page = many.ask("GET", "/hooks?include_totals=true").json()
    assert (page["total"], page["start"], page["limit"], len(page["hooks"])) == (60, 0, 60, 60)


def test_an_empty_tenant_has_a_total_of_zero(tenant: Any) -> None:
    page = tenant.ask("GET", "/hooks?include_totals=true&per_page=50").json()
    assert page == {"total": 0, "start": 0, "limit": 50, "hooks": []}


def test_filters_are_combined(tenant: Any) -> None:
    tenant.create(name="a", enabled=True)
    tenant.create(name="b")
    tenant.create(name="c", triggerId="send-phone-message", enabled=True)
    assert names(tenant.ask("GET", "/hooks?enabled=true").json()) == ["a", "c"]
    assert names(tenant.ask("GET", "/hooks?enabled=false").json()) == ["b"]
    assert names(tenant.ask("GET", f"/hooks?triggerId={PRE}").json()) == ["a", "b"]
    assert names(tenant.ask("GET", f"/hooks?triggerId={PRE}&enabled=true").json()) == ["a"]


def test_the_call_of_the_go_sdk_answers_ids_only(tenant: Any) -> None:
    made = tenant.create()
    query = "fields=id&include_fields=true&include_totals=true&per_page=50"
    assert tenant.ask("GET", f"/hooks?{query}").json() == {
        "total": 1,
        "start": 0,
        "limit": 50,
        "hooks": [{"id": made["id"]}],
    }


def test_the_default_call_of_the_older_python_sdk_lists_enabled_hooks(tenant: Any) -> None:
    tenant.create(name="off")
    tenant.create(name="on", enabled=True)
    query = "include_fields=true&include_totals=false&enabled=true"
    assert names(tenant.ask("GET", f"/hooks?{query}").json()) == ["on"]


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("fields=id%2Cname", ["id", "name"]),
        ("fields=name,%20id", ["id", "name"]),
        ("fields=script&include_fields=false", ["id", "name", "dependencies", "enabled", "triggerId"]),
        ("fields=nothing", []),
        ("include_fields=false", ["id", "name", "script", "dependencies", "enabled", "triggerId"]),
    ],
)  # fmt: skip
def test_fields_are_chosen_or_left_out_in_lists_and_alone(
    tenant: Any, query: str, members: list[str]
) -> None:
    made = tenant.create()
    assert list(tenant.ask("GET", f"/hooks/{made['id']}?{query}").json()) == members
    assert list(tenant.ask("GET", f"/hooks?{query}").json()[0]) == members


@pytest.mark.parametrize(
    ("query", "property_name"),
    [
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=10000000000", "page"),
        ("per_page=101", "per_page"),
        ("per_page=", "per_page"),
        ("include_totals=1", "include_totals"),
        ("enabled=yes", "enabled"),
        ("triggerId=nothing", "triggerId"),
        ("trigger_id=x", "trigger_id"),
        ("page=0&page=1", "page"),
        ("fields=a%00b", "fields"),
    ],
)
def test_a_bad_query_is_refused_by_name(tenant: Any, query: str, property_name: str) -> None:
    answer = tenant.ask("GET", f"/hooks?{query}")
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_query_string"
    assert answer.json()["message"].startswith("Query validation error: '")
    assert f"on property {property_name}" in answer.json()["message"]


def test_a_query_where_none_is_known_is_refused(tenant: Any) -> None:
    answer = tenant.ask("DELETE", "/hooks/x?force=true")
    assert answer.json()["errorCode"] == "invalid_query_string"


def test_the_deploy_clis_dry_run_finds_no_applications(tenant: Any) -> None:
    query = "page=0&per_page=100&include_totals=true"
    assert tenant.ask("GET", f"/clients?{query}").json() == {
        "total": 0,
        "start": 0,
        "limit": 100,
        "clients": [],
    }
    assert tenant.ask("GET", "/clients?is_global=false").json() == []
