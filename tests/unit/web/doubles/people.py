"""Sessions at the dashboard, and answers kept for requests that come again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.application.callers.answer_once import KeptAnswer
from app.domain.callers.people import Session
from app.domain.errors import (
    Transient,
)


@dataclass
class FakeSessions:
    sessions: dict[str, Session] = field(default_factory=dict)
    tickets: dict[tuple[str, str], tuple[bytes, datetime]] = field(default_factory=dict)

    def begin(self, token_hash: str, session: Session) -> None:
        self.sessions[token_hash] = session

    def find(self, token_hash: str) -> Session | None:
        return self.sessions.get(token_hash)

    def touch(self, session_id: str, seen_at: datetime) -> None:
        for key, session in self.sessions.items():
            if session.id == session_id:
                self.sessions[key] = replace(session, seen_at=seen_at)

    def end(self, session_id: str) -> bool:
        found = [key for key, one in self.sessions.items() if one.id == session_id]
        for key in found:
            del self.sessions[key]
        return bool(found)

    def list(self) -> Sequence[Session]:
        return list(self.sessions.values())

    def sweep(self, now: datetime, idle_since: datetime) -> None:
        for key, one in [*self.sessions.items()]:
            if one.ends_at <= now or one.seen_at <= idle_since:
                del self.sessions[key]

    def offer(self, kind: str, ticket_hash: str, content: bytes, ends_at: datetime) -> None:
        self.tickets[kind, ticket_hash] = content, ends_at

    def take(self, kind: str, ticket_hash: str, now: datetime) -> bytes | None:
        content, ends_at = self.tickets.pop((kind, ticket_hash), (None, now))
        return content if ends_at > now else None


@dataclass
class FakeAnswers:
    kept: dict[tuple[str, str], KeptAnswer] = field(default_factory=dict)
    fails: bool = False

    def find(self, caller: str, key: str) -> KeptAnswer | None:
        return self.kept.get((caller, key))

    def keep(self, caller: str, key: str, kept: KeptAnswer) -> None:
        if self.fails:
            raise Transient("The file of answers cannot be used now: the disk is full.")
        self.kept[caller, key] = kept
