"""Health, readiness, figures, methods, and paths that are not served."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.application.syncing.status import Check
from app.web.protocol.services import READ_THREADS
from app.web.routes import OPERATIONS, build_app

TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def test_the_index_names_the_document(site: Any) -> None:
    answer = site.get("/", token=None).json()
    assert (answer["name"], answer["version"]) == ("hookledger", "1.2.3")
    for path in ("documentation", "health", "readiness"):
        assert site.get(answer[path], token=None).status_code == 200


def test_health_needs_nothing(site: Any) -> None:
    assert site.get("/healthz", token=None).json() == {"status": "ok"}


def test_readiness_tells_each_check(site: Any) -> None:
    assert site.get("/readyz", token=None).json()["ready"] is True
    site.readiness.append(Check("task:watch", ok=False, detail="has ended; restart the server"))
    answer = site.get("/readyz", token=None)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["checks"][1] == {
        "name": "task:watch",
        "ok": False,
        "detail": "has ended; restart the server",
    }


def test_readiness_does_not_wait_behind_queries(site: Any) -> None:
    release = threading.Event()
    started = threading.Semaphore(0)

    def slow(*args: Any, **options: Any) -> Any:
        started.release()
        release.wait(20)
        raise OSError("too slow")

    site.audit.query = slow
    headers = {"authorization": f"Bearer {TOKEN}"}

    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(site.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(60):
                    tasks.create_task(client.get("/v1/audit", headers=headers))
                for _ in range(READ_THREADS):
                    await asyncio.to_thread(started.acquire, timeout=10)
                answer = await asyncio.wait_for(client.get("/readyz"), 10)
                busy = site.services.read_threads.borrowed_tokens
                release.set()
            assert busy == READ_THREADS
            return answer

    assert asyncio.run(scenario()).status_code == 200


def test_figures_are_prometheus_text(site: Any) -> None:
    answer = site.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "hookledger_hooks 0.0" in answer.text


def test_every_problem_type_is_explained_where_it_points(site: Any) -> None:
    for path in ("/v1/hooks/nobody", "/v1/nothing", "/v1/audit?limit=0"):
        problem = site.get(path).json()
        explained = site.get(problem["type"], token=None).json()
        assert explained["title"] == problem["title"]
        assert explained["remedy"] == problem["remedy"]
    assert site.get("/problems/unheard-of", token=None).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/", "/v1/hooks/", "/healthz/", "/v1/hooks/a/history/x", "/%2fhealthz",
     "/v1/%2e%2e/healthz", "/.git/config", "/api/v2", "/api"],
)  # fmt: skip
def test_a_path_that_is_not_served_is_a_problem(site: Any, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o.problem_documents], ids=lambda o: o.id
)
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(site: Any, operation: Any) -> None:
    path = operation.path.replace("{slug}", "x").replace("{id}", "x").replace("{trigger}", "x")
    answer = site.ask("DELETE", path)
    assert answer.status_code == 405
    assert answer.json()["type"] == "/problems/method-not-allowed"
    assert operation.method in answer.headers["allow"].split(", ")
    options = site.ask("OPTIONS", path, token=None)
    assert (options.status_code, options.headers["allow"]) == (204, answer.headers["allow"])


def test_methods_of_one_path_are_named_together(site: Any) -> None:
    assert site.ask("OPTIONS", "/v1/sync").headers["allow"] == "GET, POST, HEAD, OPTIONS"


def test_no_browser_of_another_site_is_let_in(site: Any) -> None:
    asked = [(b"origin", b"https://evil.example"), (b"access-control-request-method", b"POST")]
    for method in ("OPTIONS", "GET"):
        answer = site.ask(method, "/v1/sync", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/v1/hooks", "/v1/audit", "/v1/audit?format=csv", "/openapi.json"]
)
def test_head_has_the_headers_of_get_and_no_body(site: Any, make_event: Any, path: str) -> None:
    site.audit.rows = [make_event(position) for position in range(1200, 0, -1)]
    full = site.get(path)
    asked = len(site.audit.asked)
    head = site.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == full.headers
    assert len(site.audit.asked) - asked <= 2


def test_head_on_a_problem_has_no_body_either(site: Any) -> None:
    answer = site.ask("HEAD", "/v1/hooks/nobody")
    assert (answer.status_code, answer.content) == (404, b"")
    assert site.ask("HEAD", "/v1/hooks", token=None).status_code == 401


def test_an_unexpected_error_of_a_read_leaks_nothing(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise ValueError("at /srv/secret/place.db")

    site.gitops.statuses = broken
    answer = site.get("/v1/sync")
    assert answer.status_code == 500
    assert "/srv/secret" not in answer.text
    assert "Traceback" not in answer.text
    number = answer.json()["correlation_id"]
    assert number in [vars(record).get("correlation_id") for record in caplog.records]


def test_control_characters_of_a_path_reach_neither_log_nor_terminal(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hookledger")
    site.get("/v1/%1b[2J%0a2026 forged line")
    (line,) = [vars(record) for record in caplog.records if record.name == "hookledger.web"]
    assert line["path"] == "/v1/%1B%5B2J%0A2026%20forged%20line"
    assert line["status"] == 404


def test_a_websocket_is_closed(site: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/logs", "headers": [], "query_string": b""}
    asyncio.run(build_app(site.services)(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_key_to_seal_secrets_with_is_public(site: Any) -> None:
    assert site.get("/v1/keys/age", token=None).status_code == 404
    site.services = replace(site.services, recipient=lambda: "age1abc")
    assert site.get("/v1/keys/age", token=None).json() == {"recipient": "age1abc"}
