"""The history of a hook and the audit log: pages, exports, formulas, and deleted hooks."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.views import AuditQuery
from app.web.history import events
from app.web.history.audit_export import EXPORT_PAGE
from app.web.history.events import AUDIT_COLUMNS


def positions(answer: Any) -> list[int]:
    return [event["position"] for event in answer.json()["events"]]


def records(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.fixture
def many(site: Any, make_event: Any) -> int:
    """More events than two pages of an export hold."""
    total = 2 * EXPORT_PAGE + 7
    site.audit.rows = [make_event(position) for position in range(total, 0, -1)]
    return total


def test_an_event_is_shown_with_all_its_members(site: Any, make_event: Any) -> None:
    site.audit.rows = [make_event(5)]
    answer = site.get("/v1/audit")
    assert answer.json()["events"] == [
        {
            "position": 5,
            "at": "2026-11-22T12:00:05Z",
            "type": "hook.created",
            "actor": "source:default",
            "origin": "git",
            "subject": "hook:01JAHOOK",
            "hook": "01JAHOOK",
            "hook_name": "a-hook",
            "trigger": "pre-user-registration",
            "source": "default",
            "commit": "c" * 40,
            "signer": None,
            "correlation_id": None,
            "reason": "Add a hook",
            "data": {"script": {"sha256": "e" * 64, "bytes": 40, "lines": 2}},
        }
    ]


def test_every_filter_reaches_the_log(site: Any) -> None:
    site.get(
        "/v1/audit?actor=a&hook=h&trigger=t&type=hook.created&commit=abcdef1"
        "&since=2026-11-22T12:00:00Z&until=2026-11-23T12:00:00Z&text=two+words"
        "&origin=git&signer=ada@example.com&correlation=c1&from_position=3&to_position=9"
    )
    assert site.audit.asked[-1] == AuditQuery(
        actor="a",
        hook="h",
        trigger="t",
        type="hook.created",
        commit="abcdef1",
        since=datetime(2026, 11, 22, 12, tzinfo=UTC),
        until=datetime(2026, 11, 23, 12, tzinfo=UTC),
        text="two words",
        origin="git",
        signer="ada@example.com",
        correlation="c1",
        from_position=3,
        to_position=9,
    )


def test_pages_are_continued_by_cursor(site: Any, many: int) -> None:
    first = site.get("/v1/audit?limit=2")
    assert positions(first) == [many, many - 1]
    second = site.get(f"/v1/audit?limit=2&cursor={first.json()['next']}")
    assert positions(second) == [many - 2, many - 3]
    assert len(positions(site.get("/v1/audit"))) == 50
    assert site.get("/v1/audit?cursor=3").json()["next"] is None


def test_a_cursor_of_somebody_else_is_rejected(site: Any) -> None:
    for query in ("/v1/audit?cursor=a1.x", "/v1/hooks/x/history?cursor=a1.x"):
        answer = site.get(query)
        assert answer.status_code == 400
        assert answer.json()["problems"][0]["key"] == "cursor"


def test_ndjson_holds_every_match_a_line_each(site: Any, many: int) -> None:
    answer = site.get("/v1/audit?format=ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.text.splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(range(many, 0, -1))
    assert (
        answer.headers["content-disposition"]
        == f'attachment; filename="hookledger-audit-{many}.ndjson"'
    )
    assert answer.headers["hookledger-position"] == str(many)


def test_csv_holds_every_match_under_its_head(site: Any, many: int) -> None:
    answer = site.get("/v1/audit?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert f'"hookledger-audit-{many}.csv"' in answer.headers["content-disposition"]
    found = records(answer)
    assert tuple(found[0]) == AUDIT_COLUMNS
    assert [int(record["position"]) for record in found] == list(range(many, 0, -1))
    assert found[-1]["at"] == "2026-11-22T12:00:01Z"
    assert found[0]["correlation_id"] == ""
    assert json.loads(found[0]["data"])["script"]["bytes"] == 40


def test_exports_are_filtered_too(site: Any, many: int) -> None:
    site.get("/v1/audit?format=csv&actor=a&text=words")
    assert {(query.actor, query.text) for query in site.audit.asked} == {("a", "words")}


def test_an_empty_export_is_a_head_or_nothing(site: Any) -> None:
    assert site.get("/v1/audit?format=csv").text == ",".join(AUDIT_COLUMNS) + "\r\n"
    assert site.get("/v1/audit?format=ndjson").text == ""


def test_events_that_arrive_during_an_export_do_not_disturb_it(
    site: Any, many: int, make_event: Any
) -> None:
    site.audit.coming = [make_event(many + 1)]
    answer = site.get("/v1/audit?format=ndjson")
    found = [json.loads(line)["position"] for line in answer.text.splitlines()]
    assert found == sorted(set(found), reverse=True)
    assert set(range(1, many + 1)) <= set(found)


def test_a_json_export_is_one_document_of_any_size(site: Any, many: int) -> None:
    answer = site.get("/v1/audit/export?format=json")
    assert positions(answer) == list(range(many, 0, -1))
    assert f'"hookledger-audit-{many}.json"' in answer.headers["content-disposition"]
    site.audit.rows = []
    assert site.get("/v1/audit/export?format=json").json() == {"events": []}


def test_an_export_is_ndjson_unless_told_otherwise(site: Any, many: int) -> None:
    answer = site.get("/v1/audit/export?type=hook")
    assert len(answer.text.splitlines()) == many
    assert {query.type for query in site.audit.asked} == {"hook"}
    assert {query.to_position for query in site.audit.asked} == {many}


def test_a_page_leads_back_and_on(site: Any, many: int) -> None:
    assert site.get("/v1/audit").json()["previous"] is None
    assert site.get("/v1/audit?cursor=7").json()["previous"] == "7"


def test_the_order_reaches_the_log(site: Any) -> None:
    seen: list[bool] = []
    ask = site.audit.query

    def query(*args: Any, ascending: bool = False, **options: Any) -> Any:
        seen.append(ascending)
        return ask(*args, **options)

    site.audit.query = query
    for path in ("/v1/audit", "/v1/audit?order=asc", "/v1/audit/export?order=asc"):
        site.get(path)
    assert seen == [False, True, True]
    assert site.get("/v1/audit?order=up").status_code == 400


def test_events_are_counted_by_type_and_by_day(site: Any, make_event: Any) -> None:
    site.audit.rows = [make_event(3, type="hook.deleted"), make_event(2), make_event(1)]
    by_type = site.get("/v1/audit/counts?actor=a")
    assert by_type.json() == {
        "by": "type",
        "counts": {"hook.created": 2, "hook.deleted": 1},
        "total": 3,
        "complete_from": 0,
        "position": 3,
    }
    assert by_type.headers["hookledger-position"] == "3"
    assert site.audit.asked[-1] == AuditQuery(actor="a")
    assert site.get("/v1/audit/counts?by=day").json()["counts"] == {"2026-11-22": 3}
    assert site.get("/v1/audit/counts?by=hour").status_code == 400


@pytest.mark.parametrize("extra", ["limit=5", "cursor=5"])
@pytest.mark.parametrize("style", ["csv", "ndjson"])
def test_an_export_has_no_pages(site: Any, style: str, extra: str) -> None:
    answer = site.get(f"/v1/audit?format={style}&{extra}")
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == extra.partition("=")[0]


def test_a_filter_the_log_refuses_is_a_problem_in_every_format(site: Any) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        from app.domain.errors import Problem, Rejected

        raise Rejected("No.", problems=[Problem("must be hexadecimal", key="commit")])

    site.audit.query = refuse
    for style in ("json", "csv", "ndjson"):
        answer = site.get(f"/v1/audit?format={style}&commit=xyz")
        assert answer.status_code == 400
        assert answer.json()["problems"][0]["key"] == "commit"
        assert "content-disposition" not in answer.headers


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A",
    ],
)
def test_a_spreadsheet_takes_no_cell_for_a_formula(site: Any, make_event: Any, text: str) -> None:
    site.audit.rows = [make_event(1, reason=text, actor=text, hook_name=text)]
    record = next(csv.reader(io.StringIO(site.get("/v1/audit?format=csv").text, newline="")))
    assert tuple(record) == AUDIT_COLUMNS
    rows = list(csv.DictReader(io.StringIO(site.get("/v1/audit?format=csv").text, newline="")))
    assert {rows[0][column] for column in ("reason", "actor", "hook_name")} == {f"'{text}"}
    assert site.get("/v1/audit").json()["events"][0]["reason"] == text


def test_separators_and_quotes_stay_inside_their_cell(site: Any, make_event: Any) -> None:
    text = 'a,"b"\r\nhook.deleted,evil;\tc'
    site.audit.rows = [make_event(1, reason=text)]
    rows = list(csv.DictReader(io.StringIO(site.get("/v1/audit?format=csv").text, newline="")))
    assert [row["reason"] for row in rows] == [text]
    assert len(site.get("/v1/audit?format=ndjson").text.splitlines()) == 1


def test_the_history_of_a_hook_is_found_by_name_and_id(
    site: Any, make_hook: Any, make_event: Any
) -> None:
    hook = make_hook()
    site.put(hook)
    site.audit.rows = [make_event(3, hook="other"), make_event(2, hook=hook.id), make_event(1)]
    for name in ("a-hook", hook.id):
        assert positions(site.get(f"/v1/hooks/{name}/history")) == [2]


def test_a_deleted_hook_is_remembered(site: Any, make_event: Any) -> None:
    site.audit.rows = [make_event(2, type="hook.deleted"), make_event(1)]
    assert positions(site.get("/v1/hooks/01JAHOOK/history")) == [2, 1]
    assert positions(site.get("/v1/hooks/a-hook/history?limit=1")) == [2]


def test_a_hook_that_never_was_has_no_history(site: Any, make_event: Any) -> None:
    site.audit.rows = [make_event(1)]
    answer = site.get("/v1/hooks/01JNOBODY/history")
    assert answer.status_code == 404
    assert "`01JNOBODY`" in answer.json()["detail"]


def test_a_hook_whose_events_are_not_written_yet_has_an_empty_history(
    site: Any, make_hook: Any
) -> None:
    site.put(make_hook())
    assert positions(site.get("/v1/hooks/a-hook/history")) == []


@pytest.mark.parametrize("headers", [[], [(b"hookledger-min-position", b"9")]])
@pytest.mark.parametrize("path", ["/v1/audit", "/v1/hooks/a-hook/history", "/v1/audit?format=csv"])
def test_a_position_demanded_or_seen_is_waited_for_in_the_log_itself(
    site: Any, make_hook: Any, make_event: Any, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """The table in memory is new enough at once; the log is written a moment later."""
    site.put(make_hook(position=9))
    site.audit.rows = [make_event(8)]
    site.audit.coming = [make_event(9)]
    answer = site.get(path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["hookledger-position"] == "9"


def test_the_log_says_its_own_position_not_that_of_the_table(
    site: Any, make_hook: Any, make_event: Any
) -> None:
    site.put(make_hook(position=9))
    site.audit.rows = [make_event(8)]
    assert site.get("/v1/audit").headers["hookledger-position"] == "8"


def test_a_log_that_stays_behind_is_a_transient_problem(
    site: Any, make_hook: Any, make_event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MIN_POSITION_WAIT", 0.02)
    site.put(make_hook(position=9))
    site.audit.rows = [make_event(8)]
    answer = site.get("/v1/audit", headers=[(b"hookledger-min-position", b"9")])
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "at 8" in answer.json()["detail"]
