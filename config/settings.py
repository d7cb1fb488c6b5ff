"""Settings, read once at start: environment over your TOML file over ``defaults.toml``.

What each setting means, and why its default is what it is, stands in ``defaults.toml``.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
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


_Network = IPv4Network | IPv6Network


def _listed(value: object) -> object:
    """Split what stands in one variable of the environment at its commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class SettingsError(Exception):
    """A setting is missing, unknown or has a value that cannot be."""


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
    poll_interval: Annotated[float, Field(ge=0.1, le=3600)]
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    public_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")]
    isolation: Literal["required", "best-effort"]
    worker_uid_base: Annotated[int, Field(ge=1000, le=4_000_000_000)]
    egress_private_networks: Annotated[tuple[_Network, ...], NoDecode, BeforeValidator(_listed)]
    egress_ca_file: str
    max_workers: Annotated[int, Field(ge=1, le=1000)]
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
    def ca_file(self) -> Path | None:
        """Certificates that hooks trust besides the system's."""
        return Path(self.egress_ca_file) if self.egress_ca_file else None

    @property
    def address(self) -> str:
        """Where callers reach the server, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

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


def _refuse_unknown_variables() -> None:
    """Stop at a misspelt variable, which would otherwise be a silent default."""
    beside = {FILE_VARIABLE, f"{PREFIX}URL", f"{PREFIX}TOKEN"}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | beside
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(
            f"Unknown settings in the environment: {', '.join(unknown)}. "
            f"Known are: {', '.join(sorted(known))}."
        )
