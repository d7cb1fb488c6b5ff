"""Whoever is refused, or sees what is guarded, is noted; nothing else of the request is."""

from __future__ import annotations

from typing import Any

import pytest

from app.application.journal_views import Access, AccessQuery, Content, Recording
from app.web.protocol.endpoints import Operation
from app.web.routes import OPERATIONS

FORM = [(b"content-type", b"application/x-www-form-urlencoded")]


def test_refusals_are_noted_everywhere_with_the_reason(site: Any) -> None:
    site.let_in("hlt_weak", "read:sync")
    site.get("/v1/hooks/some-name", token=None)
    site.get("/v1/audit?text=secret", token="hlt_nobody")
    site.get("/v1/audit", token="hlt_weak")
    site.get("/api/v2/hooks", token="hlt_nobody")
    site.invoke(token="hlt_weak")
    assert [(one.client, one.route, one.reason) for one in site.access.noted] == [
        ("", "GET /v1/hooks/{id}", "no token"),
        ("", "GET /v1/audit", "bad token"),
        ("client-1", "GET /v1/audit", "missing scope read:audit"),
        ("", "GET /api/v2/hooks", "bad token"),
        ("client-1", "POST /v1/triggers/{trigger}/invoke", "missing scope invoke:triggers"),
    ]
    assert {(one.kind, one.address, one.subject) for one in site.access.noted} == {
        ("denied", "127.0.0.1", "")
    }


@pytest.mark.parametrize(("client", "noted"), [("client-0", "client-0"), ("<script>", "")])
def test_refused_token_requests_name_only_clients_that_exist(
    site: Any, client: str, noted: str
) -> None:
    body = f"grant_type=client_credentials&client_id={client}&client_secret=guess"
    assert site.post("/oauth/token", body, headers=FORM, token=None).status_code == 401
    assert site.access.noted == [
        Access(
            "denied",
            client=noted,
            address="127.0.0.1",
            route="POST /oauth/token",
            reason="bad client credentials",
        )
    ]


def test_what_is_allowed_or_merely_wrong_is_not_noted(site: Any) -> None:
    site.get("/v1/hooks")
    site.get("/v1/hooks/nowhere")
    site.get("/v1/nowhere", token=None)
    site.get("/v1/audit?limit=0")
    assert site.access.noted == []


def test_exports_are_noted_pages_are_not(site: Any) -> None:
    site.get("/v1/audit")
    site.get("/v1/audit?format=csv")
    assert [(one.kind, one.client, one.subject) for one in site.access.noted] == [
        ("exported", "client-0", "audit format:csv")
    ]


def test_recorded_payloads_need_a_scope_of_their_own_and_each_look_is_noted(
    site: Any, now: Any
) -> None:
    content = Content(b'{"a":1}', None, ("email",), "The result …")
    site.journal.recorded = [Recording("INV1", "01J", now, content)]
    site.let_in("hlt_reader", "read:invocations")
    assert site.get("/v1/invocations/INV1/recording", token="hlt_reader").status_code == 403
    answer = site.get("/v1/invocations/INV1/recording")
    assert answer.json()["recordings"] == [
        {
            "hook_id": "01J",
            "at": "2026-11-22T12:00:00Z",
            "payload": {"a": 1},
            "result": None,
            "masked": ["email"],
            "left_out": "The result …",
        }
    ]
    assert site.get("/v1/invocations/INV2/recording").status_code == 404
    assert [(one.kind, one.subject) for one in site.access.noted] == [
        ("denied", ""),
        ("payload_read", "invocation:INV1"),
        ("payload_read", "invocation:INV2"),
    ]


def test_accesses_are_listed_by_filter(site: Any) -> None:
    site.access.noted = [Access("secret_opened", subject="hook:h secret:s key:k")]
    answer = site.get("/v1/access?kind=secret_opened&subject=hook:h&client=c&address=1.2.3.4")
    assert answer.json() == {
        "accesses": [
            {
                "kind": "secret_opened",
                "client": None,
                "address": None,
                "route": None,
                "reason": None,
                "subject": "hook:h secret:s key:k",
                "count": 1,
                "first_at": "2026-11-22T12:00:00Z",
                "last_at": "2026-11-22T12:00:00Z",
            }
        ],
        "next": None,
        "previous": None,
    }
    assert site.access.asked == [
        AccessQuery(kind="secret_opened", client="c", address="1.2.3.4", subject="hook:h")
    ]
    assert site.get("/v1/access?kind=seen").status_code == 400


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_no_operation_refuses_a_stranger_unnoted(site: Any, operation: Operation) -> None:
    """Whatever is added to the interface: what is not for everybody tells who tried."""
    if operation.scope is None:
        return
    path = operation.path.replace("{trigger}", "pre-user-registration").replace("{id}", "x")
    for token, reason in ((None, "no token"), ("hlt_nobody", "bad token")):
        answer = site.ask(operation.method, path, token=token)
        assert answer.status_code == 401
        noted = site.access.noted.pop()
        assert (noted.kind, noted.route) == ("denied", f"{operation.method} {operation.path}")
        assert (noted.client, noted.reason) == ("", reason)
    site.let_in("hlt_nothing")
    assert site.ask(operation.method, path, token="hlt_nothing").status_code == 403
    noted = site.access.noted.pop()
    assert noted.client == "client-1"
    assert noted.reason == f"missing scope {' '.join(operation.scopes)}"
    assert site.access.noted == []
