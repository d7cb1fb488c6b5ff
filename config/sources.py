"""The tables ``sources.<id>``: repositories that are followed side by side.

What a table leaves out is as the setting of that name beside it says; what makes a source what it
is, and what opens its repository, is never taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from config.tables import RemoteSettings, SyncPolicySettings, Words

SOURCE_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"

SourceId = Annotated[str, Field(pattern=SOURCE_ID)]
Location = Annotated[str, Field(min_length=1, max_length=2048)]
Folder = Annotated[str, Field(pattern=r"^([^/\s][^\s]*)?$")]
Format = Literal["auto", "native", "auth0-directory", "auth0-yaml"]
Keywords = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]{0,127}$")], JsonValue],
    Field(repr=False),
]
Seconds = Annotated[float, Field(ge=0.1, le=3600)]
Verify = Literal["none", "head", "range"]

SHARED = (
    "poll_interval",
    "verify",
    "allowed_signers",
    "revoked_signers",
    "gpg_keys",
    "gpg_fingerprints",
    "signer_is_committer",
)
"""Settings that a table may leave out, beside ``remote`` and ``sync_policy`` and their members."""
OWN = ("repo", "repo_path", "repo_format", "keywords", "branch", "source")
"""The short form, for one source. Beside tables it would be ignored, so it is refused."""
OWN_OF_REMOTE = ("token_file", "ssh_key_file")
"""Credentials are shown to one forge only."""


class SourceTable(BaseModel):
    """One followed repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo: Location
    branch: str = ""
    path: Folder = ""
    format: Format = "auto"
    keywords: Keywords = {}
    poll_interval: Seconds
    verify: Verify
    allowed_signers: str
    revoked_signers: str
    gpg_keys: Words
    gpg_fingerprints: Words
    signer_is_committer: bool
    remote: RemoteSettings
    sync_policy: SyncPolicySettings


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the tables of ``sources`` leave out; ``given`` are all settings, as read."""
    tables = given.get("sources")
    if not isinstance(tables, Mapping):
        return dict(given)
    return dict(given) | {
        "sources": {
            source: _completed(table, given) if isinstance(table, Mapping) else table
            for source, table in tables.items()
        }
    }


def _completed(table: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    shared = {name: given[name] for name in SHARED if name in given}
    nested = {
        name: {**given[name], **table.get(name, {})}
        for name in ("remote", "sync_policy")
        if isinstance(given.get(name), Mapping) and isinstance(table.get(name, {}), Mapping)
    }
    return shared | dict(table) | nested
