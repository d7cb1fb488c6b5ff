"""Steering a source over HTTP: who did it and why is always known, and bad requests do nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.application.acts import Act, AppliedRevision, HeldPlan, Rollback
from app.application.syncing.compare_table import Drift
from app.application.syncing.preview_plan import MissingSecret, Preview, ToInstall
from app.application.syncing.status import Health, Override, SourceStatus, SyncState
from app.domain.errors import Conflict, Problem, Rejected
from app.domain.plans.diffs import FieldChange, HookDiff
from app.domain.plans.plan import Change, ChangeKind, Plan
from app.domain.revisions import CommitSha, Position, TreeSha
from app.domain.sources.guards import Guard, Hold

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADA = Act("cli:ada", NOW, "because", NOW)
CHANGE = Change(ChangeKind.RETIRE, "a-hook", "pre-user-registration", "hooks/a", "01JA")
HOLD = Hold(Guard.WINDOW, "closed", NOW)
DIGEST = "d" * 64


def send(site: Any, act: str, **body: Any) -> Any:
    return site.post(f"/v1/sync/{act}", orjson.dumps(body))


def test_a_source_is_shown_with_all_that_people_did_about_it(site: Any) -> None:
    held = HeldPlan(
        "f" * 40, DIGEST, {"retire": 1}, (CHANGE.described(),), (HOLD.described(),), NOW, ADA
    )
    site.gitops.known = [
        SourceStatus(
            id="default",
            location="/srv/repository",
            branch="main",
            path="hooks_repo",
            state=SyncState.HELD,
            reason="It waits.",
            since=NOW,
            applied="c" * 40,
            tip="f" * 40,
            checked_at=NOW,
            problems=(),
            position=Position(7),
            health=Health.DEGRADED,
            ailments=("Hook `a` lacks the secrets KEY.",),
            held=held,
            suspension=ADA,
            rollback=Rollback("e" * 40, ADA),
            skipped=("e" * 40,),
            overrides=(Override("01JA", "a", "pre-user-registration", ADA),),
            drift=Drift(NOW, "c" * 40, (CHANGE,), holds=(HOLD,)),
            history=(AppliedRevision("c" * 40, NOW),),
        )
    ]
    source = site.get("/v1/sync").json()["sources"][0]
    assert (source["state"], source["health"], source["operation"]) == ("Held", "Degraded", "Idle")
    assert source["held"]["digest"] == DIGEST
    assert source["held"]["approval"]["actor"] == "cli:ada"
    assert source["overrides"][0]["reason"] == "because"
    assert source["rollback"]["previous"] == "e" * 40
    assert source["drift"]["changes"][0]["kind"] == "retire"


def test_a_plan_shows_every_line_and_what_is_to_be_seen_to(site: Any) -> None:
    site.gitops.previewed = Preview(
        plan=Plan(CommitSha("c" * 40), TreeSha("d" * 40), (CHANGE,), kept=("kept-hook",)),
        holds=(HOLD,),
        diffs=(
            HookDiff(
                "a-hook",
                ChangeKind.UPDATE,
                "--- a\n+++ b\n",
                (FieldChange("network", [], ["a.example:443"]), FieldChange("order", None, 2)),
            ),
        ),
        missing_secrets=(MissingSecret("a-hook", "KEY"),),
        to_install=(ToInstall("a-hook", "idna", "3.10"),),
        untested=("a-hook",),
    )
    shown = site.post("/v1/sync/plan").json()
    assert shown["holds"][0]["guard"] == "window"
    assert shown["diffs"][0]["network_added"] == ["a.example:443"]
    assert shown["missing_secrets"] == [{"hook": "a-hook", "name": "KEY"}]
    assert shown["to_install"] == [{"hook": "a-hook", "name": "idna", "version": "3.10"}]
    assert (shown["kept"], shown["untested"]) == (["kept-hook"], ["a-hook"])


@pytest.mark.parametrize(
    ("act", "body", "argument"),
    [
        ("suspend", {}, None),
        ("suspend", {"until": "2026-12-01T08:00:00+01:00"}, datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("resume", {}, None),
        ("approve", {"digest": DIGEST}, DIGEST),
        ("rollback", {"commit": "4be1c09"}, "4be1c09"),
    ],
)
def test_an_act_names_the_client_and_its_reason(
    site: Any, act: str, body: dict[str, Any], argument: Any
) -> None:
    answer = send(site, act, reason=" agreed ", **body)
    assert answer.status_code == 200
    assert "hookledger-position" in answer.headers
    ((name, given, meta),) = site.gitops.acts
    assert (name, given) == (act, argument)
    assert (meta.actor, meta.origin, meta.reason) == ("client:client-0", "api", "agreed")


@pytest.mark.parametrize(
    ("act", "body", "keys"),
    [
        ("suspend", {}, {"reason"}),
        ("suspend", {"reason": "  "}, {"reason"}),
        ("suspend", {"reason": 7}, {"reason"}),
        ("suspend", {"reason": "x" * 501}, {"reason"}),
        ("suspend", {"reason": "x", "until": "tomorrow"}, {"until"}),
        ("suspend", {"reason": "x", "until": "2026-12-01T08:00:00"}, {"until"}),
        ("suspend", {"until": 7}, {"until", "reason"}),
        ("suspend", {"reason": "x", "for": "2h"}, {"for"}),
        ("resume", {"reason": "x", "until": None}, {"until"}),
        ("approve", {"reason": "x"}, {"digest"}),
        ("approve", {}, {"digest", "reason"}),
        ("rollback", {"reason": "x"}, {"commit"}),
        ("rollback", {"reason": "x", "commit": "--upload-pack=x"}, {"commit"}),
        ("rollback", {"reason": "x", "commit": "a b"}, {"commit"}),
    ],
)
def test_a_request_that_cannot_be_used_does_nothing_and_says_all_that_is_wrong(
    site: Any, act: str, body: dict[str, Any], keys: set[str]
) -> None:
    answer = send(site, act, **body)
    assert answer.status_code == 400
    assert {problem["key"] for problem in answer.json()["problems"]} == keys
    assert site.gitops.acts == []


def test_an_approval_of_another_plan_contradicts_the_present_state(site: Any) -> None:
    site.gitops.refusal = Conflict("The plan that is held now is another.")
    answer = send(site, "approve", digest=DIGEST, reason="x")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


def test_a_commit_that_cannot_run_any_more_is_not_the_callers_mistake(site: Any) -> None:
    site.gitops.refusal = Rejected("It is refused.", problems=[Problem("no", file="hook.py")])
    answer = send(site, "rollback", commit="4be1c09", reason="x")
    assert answer.status_code == 422


def test_whoever_may_only_plan_may_not_approve_nor_sync(site: Any) -> None:
    site.let_in("hlt_pipeline", "plan:sync")
    assert site.post("/v1/sync/plan", token="hlt_pipeline").status_code == 200
    assert site.post("/v1/sync", token="hlt_pipeline").status_code == 403
    for act in ("suspend", "resume", "approve", "rollback"):
        assert site.post(f"/v1/sync/{act}", b"{}", token="hlt_pipeline").status_code == 403
    assert site.gitops.acts == []


def test_whoever_may_sync_may_plan_but_not_approve(site: Any) -> None:
    site.let_in("hlt_sync", "update:sync")
    assert site.post("/v1/sync/plan", token="hlt_sync").status_code == 200
    assert site.post("/v1/sync/approve", b"{}", token="hlt_sync").status_code == 403


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("suspend", {}),
        ("resume", {}),
        ("approve", {"digest": DIGEST}),
        ("rollback", {"commit": "4be1c09"}),
    ],
)
def test_an_act_on_a_source_that_is_not_followed_does_nothing(
    site: Any, act: str, body: dict[str, str]
) -> None:
    assert send(site, f"{act}?source=other", reason="x", **body).status_code == 404
    assert site.gitops.acts == []
    assert send(site, f"{act}?source=default", reason="x", **body).status_code == 200
    assert len(site.gitops.acts) == 1
