"""The audit log as a pure translation: one event, one row that a person can read.

Ciphertext and hashes of credentials never get here, and scripts only as digest and size. An event
this version does not understand is shown with the names of its members only, because any of them
might be a secret.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.application.views import AuditRow
from app.domain.aggregates import DomainEvent
from app.domain.hooks.hook import Hook
from app.domain.sources.sync_runs import SyncRun
from projections.event_log import Recorded

_ENVELOPE = frozenset(field.name for field in dataclasses.fields(DomainEvent))
_HIDDEN = _ENVELOPE | {"originator_topic", "ciphertext", "secret_hash", "token_hash"}
_CLAIMS = ("author", "committer", "signer")
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Label:
    """What a hook is called and where it runs, at one moment."""

    name: str
    trigger: str


def concerned_hook(fact: Recorded) -> str | None:
    """Return the ULID of the hook an event is about, if it is about one."""
    if fact.kind == "hook":
        return fact.identifier
    hook_id = getattr(fact.event, "hook_id", None)
    return hook_id if isinstance(hook_id, str) else None


def label_after(fact: Recorded, label: Label | None) -> Label | None:
    """Return what the concerned hook is called once ``fact`` has happened."""
    event = fact.event
    if isinstance(event, Hook.Created):
        return Label(name=event.name, trigger=event.trigger)
    if isinstance(event, Hook.Renamed) and label is not None:
        return dataclasses.replace(label, name=event.name)
    return label


def audit_row(fact: Recorded, label: Label | None) -> AuditRow:
    """Tell ``fact`` for people; ``label`` is that of the concerned hook after it."""
    event = fact.event
    if event is None:
        return _row_of_unknown(fact)
    known = event.meta.get
    kind, _, identifier = fact.stream.partition(":")
    name, trigger = (label.name, label.trigger) if label is not None else (None, None)
    return AuditRow(
        position=fact.position,
        at=event.timestamp,
        type=fact.topic,
        actor=str(known("actor", _UNKNOWN)),
        origin=str(known("origin", _UNKNOWN)),
        subject=fact.stream,
        hook=concerned_hook(fact),
        hook_name=identifier if kind == "name" else name,
        trigger=identifier if kind == "trigger" else trigger,
        source=known("source") or _source(kind, identifier),
        commit=known("commit") or _commit(event, kind, identifier),
        correlation_id=known("correlation_id"),
        reason=known("reason"),
        data=_data(event),
        signer=_signer(known("signer")),
    )


def _signer(signer: object) -> Mapping[str, str] | None:
    """Read who signed: a principal, or one with the fingerprint of the key."""
    if isinstance(signer, str) and signer:
        return {"principal": signer}
    if not isinstance(signer, Mapping):
        return None
    known = {key: signer.get(key) for key in ("principal", "fingerprint")}
    return {key: value for key, value in known.items() if isinstance(value, str)} or None


def searchable(row: AuditRow, data: str | None = None) -> str:
    """Return the text in which a row is found by words; ``data`` is its data as JSON, if known.

    That serves as it is unless it holds escapes, or nothing where a member has no value: marks
    between words are no words.
    """
    columns = (
        row.type,
        row.actor,
        row.origin,
        row.subject,
        row.hook_name,
        row.trigger,
        row.source,
        row.commit,
        row.reason,
        row.correlation_id,
        *(row.signer or {}).values(),
    )
    head = "\n".join(filter(None, columns))
    if data is not None and "\\" not in data and "null" not in data:
        return f"{head}\n{data}"
    return "\n".join((head, *_words(row.data)))


def _source(kind: str, identifier: str) -> str | None:
    match kind:
        case "source":
            return identifier
        case "sync":
            return identifier.rpartition("@")[0]
    return None


def _commit(event: DomainEvent, kind: str, identifier: str) -> str | None:
    if isinstance(event, SyncRun.Repeated):
        return identifier.rpartition("@")[2]
    if kind == "source" or isinstance(event, SyncRun.Created):
        commit = getattr(event, "commit", None)
        return commit if isinstance(commit, str) else None
    return None


def _data(event: DomainEvent) -> dict[str, Any]:
    members = vars(event)
    data = {key: members[key] for key in _shown(type(event))}
    if "script" in data:
        data["script"] = _described(str(data["script"]))
    if claims := {key: claim for key in _CLAIMS if (claim := event.meta.get(key))}:
        data["commit_by"] = claims
    return data


@functools.cache
def _shown(event_class: type[DomainEvent]) -> tuple[str, ...]:
    names = [field.name for field in dataclasses.fields(event_class)]
    return tuple(name for name in names if name not in _HIDDEN)


def _described(script: str) -> dict[str, Any]:
    encoded = script.encode()
    return {
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "bytes": len(encoded),
        "lines": script.count("\n") + (not script.endswith("\n")) if script else 0,
    }


class _Envelope(msgspec.Struct):
    """What every event of every version should have."""

    timestamp: datetime = datetime.fromtimestamp(0, UTC)
    meta: dict[str, Any] = {}


def _row_of_unknown(fact: Recorded) -> AuditRow:
    try:
        envelope = msgspec.json.decode(fact.state, type=_Envelope)
        members = sorted(msgspec.json.decode(fact.state, type=dict[str, Any]).keys() - _ENVELOPE)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        envelope, members = _Envelope(), []
    texts = {key: value for key, value in envelope.meta.items() if isinstance(value, str)}
    at = envelope.timestamp
    return AuditRow(
        position=fact.position,
        at=at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        type=fact.topic,
        actor=texts.get("actor", _UNKNOWN),
        origin=texts.get("origin", _UNKNOWN),
        subject=fact.stream,
        hook=concerned_hook(fact),
        hook_name=None,
        trigger=fact.identifier if fact.kind == "trigger" else None,
        source=texts.get("source") or _source(fact.kind, fact.identifier),
        commit=texts.get("commit"),
        correlation_id=texts.get("correlation_id"),
        reason=texts.get("reason"),
        data={"not_understood": fact.problem, "members": members},
    )


def _words(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield str(key)
            yield from _words(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _words(member)
    elif value is not None:
        yield str(value)
