"""Write-back over HTTP: who is the author, what is refused, and that nothing is then published."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.domain.errors import Problem, Rejected

FILE = {"path": "hooks/pre-user-registration/a/hook.py", "content": "def hook(): ...\n"}
BODY = {"message": "Change a", "files": [FILE]}


def post(site: Any, body: Any) -> Any:
    return site.post("/v1/sync/commits", orjson.dumps(body))


def test_a_commit_is_planned_published_and_synced(site: Any) -> None:
    answer = post(site, BODY)
    assert answer.status_code == 201
    assert answer.json()["commit"] == "c" * 40
    assert answer.headers["hookledger-position"] == "77"
    assert (site.gitops.asked, site.gitops.published, site.gitops.runs) == (
        ["c" * 40],
        ["c" * 40],
        1,
    )


def test_the_caller_is_the_author_and_paths_are_below_the_followed_folder(site: Any) -> None:
    post(site, {**BODY, "files": [FILE, {"path": "hookledger.toml", "content": None}]})
    [prepared] = site.gitops.prepared
    assert prepared == {
        "base": "a" * 40,
        "files": {
            f"hooks_repo/{FILE['path']}": b"def hook(): ...\n",
            "hooks_repo/hookledger.toml": None,
        },
        "author": "a client",
        "email": "client-0@clients.hookledger.invalid",
        "message": "Change a",
    }


def test_a_revision_that_would_be_refused_is_not_published(site: Any) -> None:
    site.gitops.refusal = Rejected("No.", problems=[Problem("unknown", file="x", line=3)])
    answer = post(site, BODY)
    assert (answer.status_code, answer.json()["problems"][0]["line"]) == (422, 3)
    assert site.gitops.published == []


def test_a_branch_that_has_moved_is_a_conflict(site: Any) -> None:
    assert post(site, {**BODY, "expected": "b" * 40}).status_code == 409
    assert post(site, {**BODY, "expected": "a" * 40}).status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        "../etc/passwd",
        "hooks/../../x",
        "/hooks/x",
        "hooks//x",
        "hooks/.git/config",
        ".gitattributes",
        "hooks",
        "src/app.py",
        "hooks/a\0b",
        "hooks/a\nb",
        "",
    ],
)
def test_only_files_of_hooks_are_written(site: Any, path: str) -> None:
    answer = post(site, {**BODY, "files": [{"path": path, "content": "x"}]})
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["file"] == path
    assert site.gitops.prepared == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"message": "x", "files": []},
        {"message": "  ", "files": [FILE]},
        {"message": "x" * 2001, "files": [FILE]},
        {"message": "x", "files": [FILE, FILE]},
        {"message": "x", "files": [{"path": "hooks/a/b"}]},
        {"message": "x", "files": [FILE], "expected": "main"},
        {"message": "x", "files": [FILE], "source": 1},
        {"message": "x", "files": [FILE], "force": True},
    ],
)
def test_a_request_that_is_not_in_order_is_refused(site: Any, body: Any) -> None:
    assert post(site, body).status_code == 400
    assert site.gitops.prepared == []


def test_an_unknown_source_is_not_found(site: Any) -> None:
    assert post(site, {**BODY, "source": "other"}).status_code == 404


def test_files_of_a_hook_are_shown_as_the_branch_has_them(site: Any, make_hook: Any) -> None:
    hook = make_hook("a", owner="source:default", path="hooks/pre-user-registration/a")
    site.put(hook)
    shown = site.get("/v1/hooks/a/files").json()
    assert shown["commit"] == "a" * 40
    assert shown["files"] == [
        {"path": "hooks/pre-user-registration/a/hook.py", "content": "def hook(): ...\n"},
        {"path": "hooks/pre-user-registration/a/fixtures/x.json", "content": None},
    ]


def test_a_hook_of_the_api_has_no_files(site: Any, make_hook: Any) -> None:
    site.put(make_hook("a", owner="api"))
    assert site.get("/v1/hooks/a/files").status_code == 409
    assert site.get("/v1/hooks/b/files").status_code == 404


def test_the_scope_is_one_of_its_own(site: Any) -> None:
    site.let_in("hlt_sync", "update:sync", "update:hooks")
    assert site.post("/v1/sync/commits", orjson.dumps(BODY), token="hlt_sync").status_code == 403
