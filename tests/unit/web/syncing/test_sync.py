"""GitOps over HTTP: states, syncing now, plans, and commits that are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.syncing.status import SourceStatus, SyncState
from app.domain.errors import Problem, Rejected, Stalled, Transient
from app.domain.plans.plan import Change, ChangeKind, Plan
from app.domain.revisions import CommitSha, Position, TreeSha

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BAD = Rejected(
    "Commit cccccccccccc is refused.",
    problems=[
        Problem("was never closed", file="hooks/a/hook.py", line=3),
        Problem("unknown key", file="hooks/a/hook.toml", line=1, key="timeuot"),
    ],
)


def status(source: str) -> SourceStatus:
    return SourceStatus(
        id=source,
        location="/srv/repository",
        branch="main",
        path="",
        state=SyncState.SYNCED,
        reason="It is.",
        since=NOW,
        applied="c" * 40,
        tip="c" * 40,
        checked_at=NOW,
        problems=(),
        position=Position(7),
    )


def test_a_source_is_shown_with_the_problems_of_the_refused_commit(site: Any) -> None:
    problem = {"message": "m", "file": "hooks/a/hook.py", "line": 3, "key": None}
    site.gitops.known = [
        SourceStatus(
            id="default",
            location="/srv/repository",
            branch="main",
            path="hooks_repo",
            state=SyncState.REJECTED,
            reason="Commit ffffffffffff was refused for 1 reason(s).",
            since=NOW,
            applied="c" * 40,
            tip="f" * 40,
            checked_at=NOW,
            problems=(problem,),
            position=Position(7),
        )
    ]
    answer = site.get("/v1/sync").json()
    source = answer["sources"][0]
    assert (source["state"], source["applied"], source["tip"]) == ("Rejected", "c" * 40, "f" * 40)
    assert source["problems"] == [problem]
    assert source["since"] == "2026-11-22T12:00:00Z"
    assert answer["position"] == 7


def test_syncing_now_answers_what_was_done_and_its_position(site: Any) -> None:
    change = Change(
        ChangeKind.UPDATE, "a-hook", "pre-user-registration", "hooks/a", "01JA", ("script",)
    )
    site.gitops.planned = Plan(CommitSha("c" * 40), TreeSha("d" * 40), (change,))
    answer = site.post("/v1/sync")
    assert answer.status_code == 200
    assert answer.headers["hookledger-position"] == "77"
    done = answer.json()
    assert (done["status"], done["commit"], done["position"]) == ("applied", "c" * 40, 77)
    assert done["plan"]["changes"] == [
        {
            "kind": "update",
            "name": "a-hook",
            "trigger": "pre-user-registration",
            "path": "hooks/a",
            "hook": "01JA",
            "fields": ["script"],
        }
    ]
    assert done["plan"]["counts"]["update"] == 1
    assert site.gitops.runs == 1


@pytest.mark.parametrize("path", ["/v1/sync", "/v1/sync/plan"])
def test_a_refused_commit_is_not_the_callers_mistake(site: Any, path: str) -> None:
    site.gitops.refusal = BAD
    answer = site.post(path)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/revision-rejected"
    assert problem["problems"] == [
        {"message": "was never closed", "file": "hooks/a/hook.py", "line": 3, "key": None},
        {"message": "unknown key", "file": "hooks/a/hook.toml", "line": 1, "key": "timeuot"},
    ]


@pytest.mark.parametrize(
    ("error", "slug", "retry"),
    [
        (Stalled("There is no branch `main`."), "stalled", None),
        (Transient("The repository is locked.", retry_after=2.5), "transient", "3"),
    ],
)
def test_a_repository_that_cannot_be_read_says_whether_to_try_again(
    site: Any, error: Exception, slug: str, retry: str | None
) -> None:
    site.gitops.refusal = error
    answer = site.post("/v1/sync")
    assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{slug}")
    assert answer.headers.get("retry-after") == retry


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"ref": null}'])
def test_without_a_ref_the_tip_is_planned(site: Any, body: bytes) -> None:
    answer = site.post("/v1/sync/plan", body)
    assert answer.status_code == 200
    assert answer.json()["changes"] == []
    assert len(answer.json()["digest"]) == 64
    assert site.gitops.asked == [None]


def test_a_ref_is_planned_and_nothing_is_synced(site: Any) -> None:
    assert site.post("/v1/sync/plan", b'{"ref": "feature/x"}').status_code == 200
    assert site.gitops.asked == ["feature/x"]
    assert site.gitops.runs == 0


def test_an_unknown_ref_is_not_found(site: Any) -> None:
    assert site.post("/v1/sync/plan", b'{"ref": "nowhere"}').status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b'"main"', b'{"ref": 7}', b'{"ref": ""}', b'{"ref": "--upload-pack=x"}',
        b'{"ref": "a b"}', b'{"ref": "a\\nb"}', b'{"ref": "a\\u0000"}', b'{"rev": "main"}',
        b'{"ref": "' + b"x" * 256 + b'"}', b'{"ref": "\xff"}',
    ],
)  # fmt: skip
def test_other_bodies_are_rejected(site: Any, body: bytes) -> None:
    answer = site.post("/v1/sync/plan", body)
    assert answer.status_code == 400
    assert site.gitops.asked == []


def test_syncing_takes_no_ref(site: Any) -> None:
    answer = site.post("/v1/sync", b'{"ref": "main"}')
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == "ref"
    assert site.gitops.runs == 0


def test_one_of_several_sources_is_shown_when_it_is_named(site: Any) -> None:
    site.gitops.known = [status("default"), status("payments")]
    assert [each["id"] for each in site.get("/v1/sync").json()["sources"]] == [
        "default",
        "payments",
    ]
    (shown,) = site.get("/v1/sync?source=payments").json()["sources"]
    assert shown["id"] == "payments"
    assert site.get("/v1/sync?source=other").status_code == 404


def test_a_sync_or_plan_of_a_source_that_is_not_followed_is_not_found(site: Any) -> None:
    assert site.post("/v1/sync?source=other").status_code == 404
    assert site.post("/v1/sync/plan?source=other").status_code == 404
    assert (site.gitops.runs, site.gitops.asked) == (0, [])
    assert site.post("/v1/sync?source=default").status_code == 200


def test_a_source_that_must_be_named_is_no_refused_commit(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def several(source: str | None) -> Any:
        raise Rejected("There are several.", problems=[Problem("name one", key="source")])

    monkeypatch.setattr(site.gitops, "one", several)
    for path in ("/v1/sync", "/v1/sync/plan"):
        answer = site.post(path)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/rejected")
