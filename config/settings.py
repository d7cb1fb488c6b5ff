"""Settings, read once at start: environment over your TOML file over ``defaults.toml``.

What each setting means, and why its default is what it is, stands in ``defaults.toml``.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEFAULTS = Path(__file__).with_name("defaults.toml")
PREFIX = "HOOKLEDGER_"
FILE_VARIABLE = "HOOKLEDGER_CONFIG"

_SQLITE = "sqlite:///"
_REGISTRY = frozenset(
    (
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "node_extra_ca_certs"),
        *("pip_config_file", "pip_index_url", "pip_extra_index_url", "pip_find_links"),
        *("pip_no_index", "pip_trusted_host", "pip_proxy", "pip_cert", "pip_client_cert"),
        *("pip_constraint", "pip_default_timeout", "pip_timeout"),
        *("npm_config_userconfig", "npm_config_globalconfig", "npm_config_registry"),
        *("npm_config_cafile", "npm_config_ca", "npm_config_strict_ssl", "npm_config_proxy"),
        *("npm_config_https_proxy", "npm_config_noproxy", "npm_config_fetch_timeout"),
        "npm_config_fetch_retries",
    )
)


_Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """A setting is missing, unknown or has a value that cannot be."""


def _listed(value: Any) -> Any:
    """Split what stands in one variable of the environment at its commas and blanks."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
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


class Settings(BaseSettings):
    """Typed values; frozen, so that what was read at start stays true."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: Annotated[str, Field(pattern=r"^sqlite:///.+")]
    data_dir: Path
    master_key_file: str
    repo: Path
    repo_path: Annotated[str, Field(pattern=r"^([^/\s][^\s]*)?$")]
    branch: str
    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    committer_name: Annotated[str, Field(min_length=1)]
    committer_email: Annotated[str, Field(min_length=1)]
    committer_key: str
    poll_interval: Annotated[float, Field(ge=0.1, le=3600)]
    verify: Literal["none", "head", "range"]
    allowed_signers: str
    revoked_signers: str
    gpg_keys: Words
    gpg_fingerprints: Words
    signer_is_committer: bool
    webhooks: dict[str, WebhookSettings]
    statuses: dict[str, StatusSettings]
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    tls_cert: str
    tls_key: str
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)]
    header_seconds: Annotated[float, Field(gt=0, le=3600)]
    request_seconds: Annotated[float, Field(gt=0, le=3600)]
    rate_limits: RateLimitSettings
    public_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")]
    audience: Words
    token_lifetime: Annotated[int, Field(ge=60, le=30 * 24 * 3600)]
    token_hook: bool
    token_hook_on_error: Literal["closed", "open"]
    tenant: Annotated[str, Field(min_length=1)]
    trusted_issuers: tuple[TrustedIssuerSettings, ...]
    dashboard: DashboardSettings
    isolation: Literal["required", "best-effort"]
    worker_uid_base: Annotated[int, Field(ge=1000, le=4_000_000_000)]
    egress_private_networks: Annotated[tuple[_Network, ...], NoDecode, BeforeValidator(_listed)]
    egress_ca_file: str
    max_workers: Annotated[int, Field(ge=1, le=1000)]
    max_memory: Annotated[str, Field(pattern=r"^([1-9][0-9]*(MiB|GiB)|([1-9][0-9]?|100)%)$")]
    packages_dir: str
    install_timeout: Annotated[float, Field(ge=1, le=3600)]
    install_concurrency: Annotated[int, Field(ge=1, le=32)]
    install_megabytes: Annotated[int, Field(ge=1, le=100_000)]
    node: str
    queue_attempts: Annotated[int, Field(ge=1, le=100)]
    queue_concurrency: Annotated[int, Field(ge=1, le=256)]
    journal_days: Annotated[int, Field(ge=1)]
    journal_megabytes: Annotated[int, Field(ge=1)]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["console", "json"]

    @property
    def database(self) -> Path:
        """File of the event store and the projections."""
        return Path(self.database_url.removeprefix(_SQLITE))

    @property
    def key_file(self) -> Path:
        return Path(self.master_key_file) if self.master_key_file else self.data_dir / "master.key"

    @property
    def packages_root(self) -> Path:
        """Folder in which packages of hooks are kept."""
        return Path(self.packages_dir) if self.packages_dir else self.data_dir / "packages"

    @property
    def ca_file(self) -> Path | None:
        """Certificates that hooks trust besides the system's."""
        return Path(self.egress_ca_file) if self.egress_ca_file else None

    @property
    def address(self) -> str:
        """Where callers reach the server, without a slash at the end."""
        return self.public_url.rstrip("/") or self.listening

    @property
    def listening(self) -> str:
        """Where the server itself listens, as an address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (no hidden files)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        own = os.environ.get(FILE_VARIABLE)
        files = [Path(own)] if own else []
        return (
            init_settings,
            env_settings,
            *(TomlConfigSettingsSource(settings_cls, file) for file in (*files, DEFAULTS)),
        )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise ``SettingsError`` naming every one that is wrong."""
    own = os.environ.get(FILE_VARIABLE)
    if own and not Path(own).is_file():
        raise SettingsError(f"{FILE_VARIABLE} names `{own}`, but there is no such file.")
    _refuse_unknown_variables()
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        listed = "\n".join(
            f"  {PREFIX}{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"These settings are not usable:\n{listed}") from None
    except ValueError as error:
        raise SettingsError(f"The settings file cannot be read: {error}") from None


def registry_variables() -> dict[str, str]:
    """Return the variables that tell pip and npm where packages come from, and how to get there.

    These alone of the environment reach an installer. Variables that would make it do something
    else (``PIP_TARGET``, ``npm_config_ignore_scripts``) are not among them.
    """
    return {name: value for name, value in os.environ.items() if name.lower() in _REGISTRY}


def _refuse_unknown_variables() -> None:
    """Stop at a misspelt variable, which would otherwise be a silent default."""
    beside = {FILE_VARIABLE, *(f"{PREFIX}{name}" for name in ("URL", "TOKEN", "CA_FILE"))}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | beside
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(
            f"Unknown settings in the environment: {', '.join(unknown)}. "
            f"Known are: {', '.join(sorted(known))}."
        )
