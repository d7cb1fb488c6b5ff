"""Tables of the settings file, and the kinds of value that settings have."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

Network = IPv4Network | IPv6Network


def listed(value: Any) -> Any:
    """Split what stands in one variable of the environment at its commas and blanks."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]
"""A list; in the environment with commas or blanks between."""


class TrustedIssuerSettings(BaseModel):
    """One table of ``trusted_issuers``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    issuer: Annotated[str, Field(min_length=1)]
    jwks: Annotated[str, Field(pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/]|[^:]+$)")]
    audience: Annotated[Words, Field(min_length=1)]
    scopes: dict[str, tuple[str, ...]] = {}


class Rate(BaseModel):
    """How often a caller may ask: so many requests at once, and so many a second on and on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    burst: Annotated[int, Field(ge=1, le=1_000_000)]
    per_second: Annotated[float, Field(gt=0, le=1_000_000)]


Limit = Rate | Literal["unlimited"]


class RateLimitSettings(BaseModel):
    """The table ``rate_limits``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    management: Limit
    reads: Limit
    invocations: Limit
    tokens: Limit
    failures: Limit


class OpenIdSettings(BaseModel):
    """The table ``dashboard.openid``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[
        str, Field(pattern=r"^(https://\S+|http://(localhost|127\.0\.0\.1)[:/]\S*)?$")
    ]
    client_id: str
    client_secret_file: str
    name: Annotated[str, Field(min_length=1, max_length=60)]
    scopes: Words
    subject_claim: Annotated[str, Field(min_length=1)]
    role_claim: Annotated[str, Field(min_length=1)]
    roles: dict[str, Literal["viewer", "operator", "admin"]]

    @model_validator(mode="after")
    def _is_whole(self) -> OpenIdSettings:
        if self.issuer and not (self.client_id and self.roles):
            raise ValueError("an issuer needs client_id and roles beside it")
        return self


class DashboardSettings(BaseModel):
    """The table ``dashboard``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_idle: Annotated[int, Field(ge=60, le=30 * 24 * 3600)]
    session_lifetime: Annotated[int, Field(ge=60, le=90 * 24 * 3600)]
    openid: OpenIdSettings


class WebhookSettings(BaseModel):
    """One table of ``webhooks``: what a source's forge signs its notices with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secrets_file: str = ""
    secrets: tuple[SecretStr, ...] = ()


class StatusSettings(BaseModel):
    """One table of ``statuses``: where a source's forge is told how commits stand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forge: Literal["github", "gitlab", "gitea", "forgejo"]
    api: Annotated[str, Field(pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s?#@]+$")]
    repository: Annotated[str, Field(pattern=r"^\.?\w[\w.-]*(/\.?\w[\w.-]*)*$")]
    token_file: Annotated[str, Field(min_length=1)]


class SyncWindowSettings(BaseModel):
    """One table of ``sync_policy.windows``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["allow", "deny"]
    schedule: str
    hours: Annotated[float, Field(gt=0, le=744)]
    time_zone: str = "UTC"


class SyncPolicySettings(BaseModel):
    """The table ``sync_policy``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approval: Literal["automatic", "manual"]
    on_force_push: Literal["allow", "hold", "reject"]
    allow_empty: bool
    max_deletions: Annotated[int, Field(ge=0)]
    max_deletions_percent: Annotated[float, Field(ge=0, le=100)]
    windows: tuple[SyncWindowSettings, ...]
    compare_interval: Annotated[float, Field(ge=10, le=86400)]
    heal: bool


class RemoteSettings(BaseModel):
    """The table ``remote``: how a repository elsewhere is fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll_interval: Annotated[float, Field(ge=1, le=24 * 3600)]
    token_file: Path | None = None
    token_user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None
    protocols: tuple[Literal["https", "ssh", "http", "file"], ...]
    fetch_seconds: Annotated[float, Field(ge=1, le=3600)]
    max_megabytes: Annotated[int, Field(ge=1, le=100_000)]
    push: bool = False
    """Whether commits through the server are pushed there."""
