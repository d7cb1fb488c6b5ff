"""Settings, read once at start: environment over your TOML file over ``defaults.toml``.

What each setting means, and why its default is what it is, stands in ``defaults.toml``.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.sources import (
    OWN,
    OWN_OF_REMOTE,
    SHARED,
    Folder,
    Format,
    Keywords,
    Location,
    Seconds,
    SourceId,
    SourceTable,
    Verify,
    completed,
)
from config.tables import (
    DashboardSettings,
    Network,
    RateLimitSettings,
    RemoteSettings,
    StatusSettings,
    SyncPolicySettings,
    TrustedIssuerSettings,
    WebhookSettings,
    Words,
    listed,
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


class SettingsError(Exception):
    """A setting is missing, unknown or has a value that cannot be."""


def _sqlite(url: str) -> str:
    if url and (not url.removeprefix(_SQLITE) or not url.startswith(_SQLITE)):
        raise ValueError("must be sqlite:///FILE, a file on a local disk: nothing else so far")
    return url


class Settings(BaseSettings):
    """Typed values; frozen, so that what was read at start stays true."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: Annotated[str, AfterValidator(_sqlite)]
    data_dir: Path
    master_key_file: str
    repo: Location
    remote: RemoteSettings
    repo_path: Folder
    repo_format: Format
    keywords: Keywords
    branch: str
    source: SourceId
    sources: dict[SourceId, SourceTable]
    committer_name: Annotated[str, Field(min_length=1)]
    committer_email: Annotated[str, Field(min_length=1)]
    committer_key: str
    poll_interval: Seconds
    verify: Verify
    allowed_signers: str
    revoked_signers: str
    gpg_keys: Words
    gpg_fingerprints: Words
    signer_is_committer: bool
    webhooks: dict[str, WebhookSettings]
    statuses: dict[str, StatusSettings]
    sync_policy: SyncPolicySettings
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
    egress_private_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(listed)]
    egress_ca_file: str
    max_workers: Annotated[int, Field(ge=1, le=1000)]
    max_memory: Annotated[str, Field(pattern=r"^([1-9][0-9]*(MiB|GiB)|([1-9][0-9]?|100)%)$")]
    packages_dir: str
    install_timeout: Annotated[float, Field(ge=1, le=3600)]
    install_concurrency: Annotated[int, Field(ge=1, le=32)]
    install_megabytes: Annotated[int, Field(ge=1, le=100_000)]
    node: str
    checkpoint_interval: Annotated[float, Field(ge=1, le=24 * 3600)]
    checkpoint_file: str
    anchor_ref: Annotated[str, Field(pattern=r"^(refs/[^\s~^:?*\[\\]+)?$")]
    queue_attempts: Annotated[int, Field(ge=1, le=100)]
    queue_concurrency: Annotated[int, Field(ge=1, le=256)]
    journal_days: Annotated[int, Field(ge=1)]
    journal_megabytes: Annotated[int, Field(ge=1)]
    access_days: Annotated[int, Field(ge=1)]
    live_readers: Annotated[int, Field(ge=1, le=100_000)]
    live_readers_per_client: Annotated[int, Field(ge=1, le=100_000)]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["console", "json"]

    @property
    def followed(self) -> dict[str, SourceTable]:
        """Every source by its id: the tables, or the one that the short form describes."""
        if self.sources:
            return self.sources
        shared = {name: getattr(self, name) for name in (*SHARED, "remote", "sync_policy")}
        short = SourceTable(
            repo=self.repo,
            branch=self.branch,
            path=self.repo_path,
            format=self.repo_format,
            keywords=self.keywords,
            **shared,
        )
        return {self.source: short}

    @property
    def database(self) -> Path:
        """File of the event store and the projections."""
        if not self.database_url:
            return self.data_dir / "hookledger.db"
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

    @model_validator(mode="before")
    @classmethod
    def _complete_sources(cls, given: dict[str, Any]) -> dict[str, Any]:
        return completed(given)

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
        settings = Settings(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        listed = "\n".join(f"  {_told(item, own, overrides)}" for item in wrong)
        raise SettingsError(f"These settings are not usable:\n{listed}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {own} is not TOML: {error}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings cannot be read: {error}") from None
    _refuse_both_forms(settings)
    return settings


def registry_variables() -> dict[str, str]:
    """Return the variables that tell pip and npm where packages come from, and how to get there.

    These alone of the environment reach an installer. Variables that would make it do something
    else (``PIP_TARGET``, ``npm_config_ignore_scripts``) are not among them.
    """
    return {name: value for name, value in os.environ.items() if name.lower() in _REGISTRY}


def _told(item: Mapping[str, Any], own: str | None, overrides: Mapping[str, Any]) -> str:
    """Say what is wrong with a setting, under the name it has where it was set."""
    name = ".".join(str(part) for part in item["loc"])
    top = name.partition(".")[0]
    in_file = own is not None and f"{PREFIX}{top.upper()}" not in os.environ
    place = f"`{name}` in {own}" if in_file and top not in overrides else f"{PREFIX}{name.upper()}"
    if item["type"] != "extra_forbidden" or name != top:
        return f"{place}: {item['msg'].removeprefix('Value error, ')}"
    return f"{place}: is no setting{_meant(name, Settings.model_fields)}"


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else "; config/defaults.toml lists all"


def _refuse_both_forms(settings: Settings) -> None:
    """Stop where one source is described beside tables of several: it would be lost in silence."""
    defaults = tomllib.loads(DEFAULTS.read_text())
    given = [name for name in OWN if getattr(settings, name) != defaults[name]]
    given += [f"remote.{name}" for name in OWN_OF_REMOTE if getattr(settings.remote, name)]
    if settings.sources and given:
        raise SettingsError(
            f"There are tables of `sources`, and beside them {', '.join(given)}, which describe "
            "one source: write it into a table of its own."
        )


def _refuse_unknown_variables() -> None:
    """Stop at a misspelt variable, which would otherwise be a silent default."""
    beside = {FILE_VARIABLE, *(f"{PREFIX}{name}" for name in ("URL", "TOKEN", "CA_FILE"))}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | beside
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        listed = "\n".join(f"  {name}: is no setting{_meant(name, known)}" for name in unknown)
        raise SettingsError(f"These variables of the environment are not usable:\n{listed}")
