"""What the operations of the Management API have in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from app.web.management.bodies import BODY_LIMIT
from app.web.management.errors import ERROR_CODES
from app.web.protocol.endpoints import JSON, Answered, Operation

POSITION = ("Hookledger-Position",)


def failures(*statuses: int) -> Mapping[int, Answered]:
    """Return the answers with these statuses, and those that any operation may give."""
    return {
        status: Answered(_described(status), {JSON: "ManagementError"})
        for status in sorted({400, 401, 403, 429, 500, 503, *statuses})
    }


def _described(status: int) -> str:
    kinds = {kind.code: kind.when for _, kind in ERROR_CODES if kind.status == status}
    return "; ".join(f"`{code}`: {when}" for code, when in kinds.items()) + "."


operation = partial(
    Operation,
    group="Management API v2",
    positioned=True,
    problem_documents=False,
    body_limit=BODY_LIMIT,
)
"""Declares an operation; its ``answers`` include every failure."""
