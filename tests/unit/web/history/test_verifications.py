"""Verifying over HTTP: one run at a time, its outcome, and that it is noted who asked."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.application.history.verifications import Verification, VerificationDesk
from app.application.history.verify_history import Progress, Report, Verdict
from app.domain.errors import Stalled

PATH = "/v1/audit/verification"
REPORT = Report(Verdict.INTACT, 20, 20, 3, None, (), None)


def outcome(site: Any) -> Any:
    """Return the outcome once the run has ended."""
    pause = threading.Event()
    for _ in range(500):
        run = site.get(PATH).json()
        if run["ended_at"] is not None:
            return run
        pause.wait(0.01)
    raise AssertionError(f"it never ended: {run}")


def test_before_the_first_one_there_is_nothing_to_show(site: Any) -> None:
    assert site.get(PATH).status_code == 404


def test_a_history_is_verified_and_the_one_who_asked_is_noted(site: Any) -> None:
    begun = site.post(PATH)
    assert begun.status_code == 202
    assert (begun.json()["total"], begun.json()["actor"]) == (20, "client:client-0")
    run = outcome(site)
    assert (run["done"], run["failure"]) == (20, None)
    assert (run["outcome"]["verdict"], run["outcome"]["agreeing_checkpoints"]) == ("intact", 3)
    assert [access.kind for access in site.access.noted] == ["verified"]


def test_an_alteration_is_told_with_its_place(site: Any) -> None:
    bad = replace(REPORT, verdict=Verdict.ALTERED, first_bad=7, messages=("Event 7 is another.",))
    site.proved.finding = Verification(bad, (), ("Somebody dropped a guard.",))
    site.post(PATH)
    found = outcome(site)["outcome"]
    assert (found["verdict"], found["first_bad_position"]) == ("altered", 7)
    assert found["messages"] == ["Event 7 is another."]
    assert found["warnings"] == ["Somebody dropped a guard."]


def test_a_forged_checkpoint_is_an_alteration_though_the_events_agree(site: Any) -> None:
    site.proved.finding = Verification(REPORT, ("a file: the signature is wrong",), ())
    site.post(PATH)
    found = outcome(site)["outcome"]
    assert found["verdict"] == "altered"
    assert found["messages"] == ["a file: the signature is wrong"]


def test_what_could_not_be_found_out_says_why(site: Any) -> None:
    site.proved.finding = Stalled("The file of checkpoints cannot be read.")
    site.post(PATH)
    run = outcome(site)
    assert (run["outcome"], run["failure"]) == (None, "The file of checkpoints cannot be read.")


def test_it_takes_the_right_to_read_the_audit_log(site: Any) -> None:
    site.let_in("other", "read:hooks")
    assert site.post(PATH, token="other").status_code == 403
    assert site.get(PATH, token="other").status_code == 403


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def slow_desk(site: Any, gate: threading.Event) -> VerificationDesk:
    def verify(progress: Progress) -> Verification:
        progress(5)
        gate.wait(10)
        progress(10)
        return Verification(REPORT, (), ())

    return VerificationDesk(verify, lambda: 20, site.services.clock)


def test_one_runs_at_a_time(slow_desk: VerificationDesk, gate: threading.Event) -> None:
    first, second = slow_desk.start("ada"), slow_desk.start("bob")
    assert (first.actor, second.actor) == ("ada", "ada")
    gate.set()
    slow_desk.close()


def test_a_server_that_ends_gives_it_up(slow_desk: VerificationDesk, gate: threading.Event) -> None:
    slow_desk.start("ada")
    closing = threading.Thread(target=slow_desk.close)
    closing.start()
    gate.set()
    closing.join()
    latest = slow_desk.latest
    assert latest is not None
    assert latest.ended_at is not None
    assert latest.failure == "The server was stopped."
