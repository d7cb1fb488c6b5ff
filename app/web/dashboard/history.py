"""The history: events that match, one of them with its proof, and hooks as they were."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from app.application.evidence import WITHHELD
from app.application.table_diff import diff_tables
from app.application.transparency_ports import InclusionProof, StoredBytes
from app.application.views import AuditQuery, CountBy
from app.domain.errors import NotFound
from app.domain.revisions import Position
from app.domain.transparency import event_hash, root_of_inclusion
from app.web.dashboard.pages import Page, Visit
from app.web.dashboard.rendering import indented
from app.web.dashboard.wording import told
from app.web.events import FILTERS, event_members, query_of
from app.web.parameters import CURSOR, text

_SECTION = "/history"
_LISTED = 50
_DAYS = 60
_CHANGED = 200


async def show(visit: Visit) -> Response:
    """Show a page of the events that match, newest first, and how many there were each day."""
    services, values = visit.services, visit.values
    query = query_of(values)
    page = await services.read(
        partial(services.audit.query, query, cursor=values["cursor"], limit=_LISTED)
    )
    days = await services.read(partial(services.audit.counts, query, by=CountBy.DAY))
    types = await services.read(partial(services.audit.counts, query, by=CountBy.TYPE))
    given = {item.name: visit.values[item.name] for item in FILTERS if visit.values[item.name]}
    return visit.render(
        "history_rows.html" if visit.by_htmx else "history.html",
        entries=[told(row) for row in page.items],
        newer=_address(given, page.previous),
        older=_address(given, page.next),
        days=list(days.counts.items())[-_DAYS:],
        types=sorted(types.counts.items(), key=lambda pair: -pair[1]),
        total=sum(types.counts.values()),
        whole=types.complete_from == 0,
        values=values,
        filtered=bool(given),
        query=urlencode(_texts(given)),
    )


async def show_event(visit: Visit) -> Response:
    """Show one event as it is stored, with the proof that it is in the signed history."""
    services = visit.services
    position = _position(visit.path["position"])
    query = AuditQuery(from_position=position, to_position=position)
    page = await services.read(partial(services.audit.query, query, cursor=None, limit=1))
    if not page.items:
        raise NotFound(f"There is no event at position {position}.")
    issued = await services.read(services.prover.checkpoint)
    stored, proof = await services.read(partial(services.prover.inclusion, position))
    return visit.render(
        "event.html",
        entry=told(page.items[0]),
        members=indented(event_members(page.items[0])["data"]),
        stored=stored,
        state=_state(visit, stored),
        proof=proof,
        note=issued.signed.note,
        proved=_is_proved(stored, proof),
    )


async def show_past(visit: Visit) -> Response:
    """Show the hooks as they were at some moment, and what has changed since."""
    past = visit.services.past
    now = await visit.services.read(past.newest)
    moment = visit.values["as_of"] or str(now.position)
    then = await visit.services.read(partial(past.as_of, moment))
    changes = diff_tables(then, now, limit=_CHANGED)
    return visit.render(
        "past_table.html" if visit.by_htmx else "past.html",
        then=then,
        now=now,
        moment=moment,
        hooks=sorted(then.hooks.values(), key=lambda hook: (hook.trigger, hook.name)),
        changes=changes,
    )


def _address(given: Mapping[str, Any], cursor: str | None) -> str | None:
    """Return the address of a neighbouring page, filters included."""
    if cursor is None:
        return None
    return f"{_SECTION}?{urlencode(_texts(given) | {'cursor': cursor})}"


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: _written(value) for name, value in given.items()}


def _written(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _position(written: str) -> Position:
    if not written.isdecimal() or len(written) > 18:  # noqa: PLR2004 (what SQLite counts to)
        raise NotFound(f"`{written[:40]}` is no position of an event.")
    return Position(int(written))


def _state(visit: Visit, stored: StoredBytes) -> str | None:
    """Return the stored bytes as text; None for what only some may see."""
    if stored.topic in WITHHELD and not visit.may("export:audit"):
        return None
    return stored.state.decode("utf-8", "backslashreplace")


def _is_proved(stored: StoredBytes, proof: InclusionProof) -> bool:
    """Compute the root anew, from the bytes as they are stored now."""
    leaf = event_hash(stored.position, stored.stream, stored.version, stored.topic, stored.state)
    root = root_of_inclusion(proof.index, proof.size, leaf, proof.hashes)
    return leaf == proof.leaf and root == proof.root


PAGES = (
    Page(
        path="/history",
        handle=show,
        scope="read:audit",
        section=_SECTION,
        parameters=(*FILTERS, CURSOR),
    ),
    Page(
        path="/history/as-of",
        handle=show_past,
        scope="read:hooks",
        section=_SECTION,
        parameters=(text("as_of", "A position, a time (RFC 3339) or a commit."),),
    ),
    Page(
        path="/history/{position}",
        handle=show_event,
        scope="read:audit",
        section=_SECTION,
    ),
)
