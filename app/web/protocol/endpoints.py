"""What an endpoint is: the operation as callers know it, and the function that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from starlette.responses import Response

from app.application.journal_views import Access, AccessKind
from app.application.views import ActiveTable, ClientRow
from app.domain.revisions import Position
from app.web.protocol.formats import json_text
from app.web.protocol.limits import BODY_LIMIT, Headers
from app.web.protocol.parameters import Parameter
from app.web.protocol.services import WebServices

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NDJSON = "application/x-ndjson"
CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Answered:
    """One way an operation may answer, apart from problems."""

    description: str
    content: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Media type to the name of its schema in ``app.web.schemas.components``."""
    headers: tuple[str, ...] = ()
    """Names in ``app.web.openapi.HEADERS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, with all that a caller must know of it."""

    id: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    """A GET also answers HEAD."""
    path: str
    summary: str
    description: str = ""
    group: str
    scope: str | None
    """What the caller's client must be allowed to; None if anybody may ask."""
    other_scopes: tuple[str, ...] = ()
    """Any of these will do as well."""
    answers: Mapping[int, Answered]
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    """Name of the schema of the request's body; None if there is no body."""
    body_required: bool = False
    body_limit: int = BODY_LIMIT
    body_types: tuple[str, ...] = (JSON,)
    """Media types that are read; JSON is read whatever the content type says, unless that is one of
    the others."""
    repeatable: bool = False
    """Whether it honours ``Idempotency-Key``: for what changes something."""
    positioned: bool = False
    """Whether it honours ``Hookledger-Min-Position`` and says its position."""
    problems: tuple[str, ...] = ()
    """Slugs of problems beside those that follow from the members above."""
    problem_documents: bool = True
    """Whether errors are problem documents (RFC 9457); if not, ``answers`` has them all."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope that lets a client in; none if anybody may ask."""
        return () if self.scope is None else (self.scope, *self.other_scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A request that was found to be in order."""

    services: WebServices
    table: ActiveTable
    """The table as it was when the request was let in; what is answered is at least as new."""
    min_position: Position | None
    values: Mapping[str, Any]
    """Query parameters, parsed."""
    path: Mapping[str, str]
    """Parts of the path."""
    body: bytes
    accept: str
    """The header ``Accept``; empty if there is none."""
    openapi: bytes
    """The OpenAPI document as JSON."""
    client: ClientRow | None = None
    """Who calls; None where anybody may."""
    headers: Headers = ()
    address: str = ""
    """Where it comes from, as ``rate_limits.address_of`` says it."""
    route: str = ""
    """Method and path of the operation."""

    def note(self, kind: AccessKind, subject: str) -> None:
        """Note that the caller sees what not everybody may see."""
        client = self.client.id if self.client is not None else ""
        self.services.access.note(
            Access(kind, client, address=self.address, route=self.route, subject=subject)
        )


Handle = Callable[[Inquiry], Awaitable[Response]]
"""Raises ``HookledgerError`` for what becomes a problem."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation and what answers it."""

    operation: Operation
    handle: Handle


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with one JSON document; times are in UTC, written with `Z`."""
    return Response(json_text(value), status, headers, media_type=JSON)
