"""Events on their way into the audit log's tables: rows, labels, words, marks and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from app.application.views import AuditRow
from projections.audit_log.counts import counting
from projections.audit_log.marks import Marks
from projections.audit_log.questions import sortable
from projections.audit_log.translation import (
    Label,
    audit_row,
    concerned_hook,
    label_after,
    searchable,
)
from projections.audit_log.words import Words
from projections.database import Write, inserting
from projections.event_log import Recorded
from projections.views import Replay, Tables

_encode = msgspec.json.Encoder().encode


class AuditRows(Replay):
    """Takes events in, in the order of positions, from the first or from any other on."""

    def __init__(
        self, tables: Tables, labels: dict[str, Label], words: Words, marks: Marks
    ) -> None:
        """``labels`` are those of the hooks that the coming events concern, as far as known."""
        self._tables = tables
        self._labels = labels
        self._words = words
        self._marks = marks

    def take(self, recorded: Sequence[Recorded]) -> list[Write]:
        rows, labels = self._told(recorded)
        moments = [sortable(row.at) for row in rows]
        texts = [_encode(row.data).decode() for row in rows]
        words = [
            (row.position, searchable(row, text)) for row, text in zip(rows, texts, strict=True)
        ]
        return [
            inserting(
                self._tables.sql("INSERT INTO {events}"), list(map(_values, rows, moments, texts))
            ),
            inserting(
                self._tables.sql("INSERT INTO {labels}"),
                [(hook, labels[hook].name, labels[hook].trigger) for hook in sorted(labels)],
                _RELABELLING,
            ),
            *self._words.take(words),
            *self._marks.take(rows, moments),
            counting(self._tables, rows, moments),
        ]

    def _told(self, recorded: Sequence[Recorded]) -> tuple[list[AuditRow], dict[str, Label]]:
        """Return the rows, and the labels that changed."""
        changed: dict[str, Label] = {}
        rows = []
        for fact in recorded:
            hook = concerned_hook(fact) or ""
            before = self._labels.get(hook)
            after = label_after(fact, before)
            if after is not None and after is not before:
                self._labels[hook] = changed[hook] = after
            rows.append(audit_row(fact, after))
        return rows, changed


_RELABELLING = """
ON CONFLICT (hook) DO UPDATE SET name = excluded.name, trigger_id = excluded.trigger_id"""


def _values(row: AuditRow, at: str, data: str) -> tuple[Any, ...]:
    """Return the row's members in their order, as they are stored."""
    position, _, *texts, _, signer = astuple(row)
    return (
        position,
        at,
        *texts,
        data,
        None if signer is None else _encode(signer).decode(),
    )
