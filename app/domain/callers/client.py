"""The Client aggregate: a program that may call this server, and with which scopes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Problem, Rejected

SCOPES = {
    "invoke:triggers": "invoke triggers",
    "read:hooks": "read hooks, triggers and their history",
    "read:audit": "query the audit log and access records",
    "export:audit": "export events as they are stored, with proofs",
    "read:invocations": "read execution records and log lines",
    "read:payloads": "read recorded payloads and results",
    "read:sync": "read the state of the sync",
    "create:hooks": "create hooks and secrets",
    "update:hooks": "change, enable and disable hooks, and write secrets",
    "delete:hooks": "delete hooks and secrets",
    "run:hooks": "run drafts and saved hooks in the runner",
    "update:sync": "start a sync, and plan one",
    "commit:hooks": "commit changes to a followed repository",
    "plan:sync": "plan a commit, and nothing else: for pipelines",
    "control:sync": "approve a held plan, roll back, suspend and resume",
}
"""Every scope and what it allows; the ``*:hooks`` names are those of Auth0's Management API."""

MAX_NAME_LENGTH = 100

MAX_METADATA = 10
MAX_METADATA_LENGTH = 255
"""As many metadata, with names and values as long, as Auth0 let a client have."""


class Client(Root):
    """A program with credentials, of which only SHA-256 hashes are kept.

    The credentials are 256 random bits each, so neither a salt nor a slow hash is needed.
    """

    TOPIC = "client"

    class Created(Root.Created):
        """A client got its credentials."""

        TOPIC: ClassVar[str] = "client.created"
        name: str
        scopes: list[str]
        secret_hash: str
        token_hash: str
        metadata: dict[str, str] = field(default_factory=dict)

    class Revoked(Root.Event):
        """Its credentials are worthless from here on."""

        TOPIC: ClassVar[str] = "client.revoked"

    @staticmethod
    def create_id(client_id: str) -> str:
        return f"client:{client_id}"

    @event(Created)
    def __init__(
        self,
        name: str,
        scopes: list[str],
        secret_hash: str,
        token_hash: str,
        metadata: dict[str, str],
    ) -> None:
        self.name = name
        self.scopes = scopes
        self.secret_hash = secret_hash
        self.token_hash = token_hash
        self.metadata = metadata
        self.revoked = False

    @classmethod
    def create(
        cls,
        client_id: str,
        *,
        name: str,
        scopes: list[str],
        secret_hash: str,
        token_hash: str,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> Client:
        """Make a client; raise ``Rejected`` for a bad name, unknown scopes or too much metadata.

        Hooks of ``credentials-exchange`` see the metadata as ``client.metadata``.
        """
        problems = [
            Problem(f"unknown scope `{scope}`; known are: {', '.join(SCOPES)}", key="scope")
            for scope in scopes
            if scope not in SCOPES
        ]
        if not scopes:
            problems.append(Problem("at least one scope is needed", key="scope"))
        if not name.strip() or len(name) > MAX_NAME_LENGTH:
            problems.append(Problem(f"must have 1 to {MAX_NAME_LENGTH} characters", key="name"))
        problems += _metadata_problems(metadata)
        if problems:
            raise Rejected("The client was not created.", problems=problems)
        return cls._create(
            cls.Created,
            id=cls.create_id(client_id),
            name=name,
            scopes=sorted(set(scopes)),
            secret_hash=secret_hash,
            token_hash=token_hash,
            metadata=dict(metadata),
        )

    def revoke(self) -> None:
        if not self.revoked:
            self._revoked()

    @event(Revoked)
    def _revoked(self) -> None:
        self.revoked = True


def _metadata_problems(metadata: Mapping[str, str]) -> Iterator[Problem]:
    if len(metadata) > MAX_METADATA:
        yield Problem(f"are {len(metadata)}; at most {MAX_METADATA} are possible", key="metadata")
    for name, value in metadata.items():
        if not 1 <= len(name) <= MAX_METADATA_LENGTH:
            yield Problem(f"a name must have 1 to {MAX_METADATA_LENGTH} characters", key="metadata")
        if len(value) > MAX_METADATA_LENGTH:
            key = f"metadata.{name[:MAX_METADATA_LENGTH]}"
            yield Problem(f"must have at most {MAX_METADATA_LENGTH} characters", key=key)
