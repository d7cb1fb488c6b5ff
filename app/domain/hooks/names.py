"""Names of hooks: what they look like, and who holds which."""

from __future__ import annotations

import re
from typing import ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Conflict, Problem, Rejected

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_SPOKEN_NAME = re.compile(r"[A-Za-z0-9]([ A-Za-z0-9-]*[A-Za-z0-9])?\Z")
"""Auth0's pattern (its OpenAPI document, ``POST /hooks``)."""
MAX_NAME_LENGTH = 100


class NameTaken(Conflict):
    """Another hook holds the name."""


class HookName(Root):
    """A name held by at most one hook: two racing reservations are a version conflict."""

    TOPIC = "hook_name"

    class Created(Root.Created):
        """The name was taken for the first time."""

        TOPIC: ClassVar[str] = "hook_name.created"
        name: str
        hook_id: str

    class Reserved(Root.Event):
        """The name was taken again after it had been free."""

        TOPIC: ClassVar[str] = "hook_name.reserved"
        hook_id: str

    class Released(Root.Event):
        """The name is free."""

        TOPIC: ClassVar[str] = "hook_name.released"
        hook_id: str

    @staticmethod
    def create_id(name: str) -> str:
        return f"name:{name}"

    @event(Created)
    def __init__(self, name: str, hook_id: str) -> None:
        self.name = name
        self.holder: str | None = hook_id

    def reserve(self, hook_id: str) -> None:
        if self.holder == hook_id:
            return
        if self.holder is not None:
            raise NameTaken(f"The name `{self.name}` is taken by another hook.")
        self._reserved(hook_id=hook_id)

    def release(self, hook_id: str) -> None:
        if self.holder == hook_id:
            self._released(hook_id=hook_id)

    @event(Reserved)
    def _reserved(self, hook_id: str) -> None:
        self.holder = hook_id

    @event(Released)
    def _released(self, hook_id: str) -> None:  # noqa: ARG002
        self.holder = None


def check_name(name: str) -> str:
    """Return ``name`` if it may name a hook: lower-case letters, digits and inner hyphens."""
    if len(name) > MAX_NAME_LENGTH or not _NAME.match(name):
        raise Rejected(
            f"`{name[:MAX_NAME_LENGTH]}` cannot name a hook.",
            problems=[
                Problem(
                    f"must be 1 to {MAX_NAME_LENGTH} lower-case letters, digits and hyphens, "
                    "and neither begin nor end with a hyphen",
                    key="name",
                )
            ],
        )
    return name


def normalised_name(spoken: str) -> str:
    """Turn a name as people write it (`My Hook`) into the one that is kept (`my-hook`).

    Lower case and a hyphen for each blank, nothing else: the Auth0 Deploy CLI does the same before
    it compares, so a cleverer rule would make it take a hook for another. Raises ``Rejected``.
    """
    if len(spoken) > MAX_NAME_LENGTH or not _SPOKEN_NAME.match(spoken):
        raise Rejected(
            "That cannot name a hook.",
            problems=[
                Problem(
                    f"must be 1 to {MAX_NAME_LENGTH} letters, digits, blanks and hyphens, "
                    "and begin and end with a letter or digit",
                    key="name",
                )
            ],
        )
    return spoken.lower().replace(" ", "-")
