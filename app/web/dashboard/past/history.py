"""The history: events that match, and one of them with its proof."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.history.evidence import WITHHELD
from app.application.history.transparency_ports import InclusionProof, StoredBytes
from app.application.views import AuditQuery, CountBy
from app.domain.errors import NotFound
from app.domain.history.transparency import event_hash, root_of_inclusion, state_digest
from app.domain.revisions import Position
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.rendering import indented
from app.web.dashboard.frame.wording import told
from app.web.dashboard.journal.filters import SINCE, UNTIL, field_time
from app.web.dashboard.journal.filters import query_of as query_text
from app.web.dashboard.past.day_chart import day_chart
from app.web.history.events import FILTERS, event_members, query_of
from app.web.protocol.parameters import CURSOR

_SECTION = "/history"
_FILTERS = (*(item for item in FILTERS if item.name not in (SINCE.name, UNTIL.name)), SINCE, UNTIL)
"""Those of the API, with times as fields of browsers write them."""
_LISTED = 50


async def show(visit: Visit) -> Response:
    """Show a page of the events that match, newest first, and how many there were each day."""
    services, values = visit.services, visit.values
    query = query_of(values)
    # At once: for frequent words each count ends when its patience does.
    page, days, types = await asyncio.gather(
        services.read(partial(services.audit.query, query, cursor=values["cursor"], limit=_LISTED)),
        services.read(partial(services.audit.counts, query, by=CountBy.DAY)),
        services.read(partial(services.audit.counts, query, by=CountBy.TYPE)),
    )
    given = {item.name: visit.values[item.name] for item in FILTERS if visit.values[item.name]}
    return visit.render(
        "history_rows.html" if visit.by_htmx else "history.html",
        entries=[told(row) for row in page.items],
        newer=page.previous and _address(given, cursor=page.previous),
        older=page.next and _address(given, cursor=page.next),
        chart=day_chart(days.counts),
        narrowed=partial(_address, given),
        types=sorted(types.counts.items(), key=lambda pair: -pair[1]),
        total=sum(types.counts.values()),
        whole=types.complete_from == 0,
        values=values,
        filtered=bool(given),
        query=query_text(given),
        field_time=field_time,
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
    signed = issued.signed.checkpoint
    stored, proof = await services.read(
        partial(services.prover.inclusion, position, max(signed.size, 1))
    )
    return visit.render(
        "event.html",
        entry=told(page.items[0]),
        members=indented(event_members(page.items[0])["data"]),
        newest=await services.read(services.audit.position),
        stored=stored,
        digest=state_digest(stored.state).hex(),
        state=_state(visit, stored),
        proof=proof,
        note=issued.signed.note,
        proved=_is_proved(stored, proof) and proof.root == signed.root,
    )


def _address(given: Mapping[str, Any], **others: str) -> str:
    """Return the address of the events that match the filters given and others."""
    return f"{_SECTION}?{query_text(given, **others)}"


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
        parameters=(*_FILTERS, CURSOR),
    ),
    Page(
        path="/history/{position}",
        handle=show_event,
        scope="read:audit",
        section=_SECTION,
    ),
)
