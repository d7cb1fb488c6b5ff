"""The Hook aggregate."""

from __future__ import annotations

from typing import Any, ClassVar

from eventsourcing.domain import event

from app.domain.aggregates import Root
from app.domain.errors import Conflict, NotFound, Rejected
from app.domain.hooks.names import check_name
from app.domain.hooks.secrets import MAX_SECRETS_PER_HOOK, SealedSecret
from app.domain.outcomes import Language

API_OWNER = "api"
"""Owner of hooks that no git source owns."""


class HookNotFound(NotFound):
    """There is no such hook."""


class SecretNotFound(NotFound):
    """The hook has no such secret."""


class SecretTaken(Conflict):
    """The hook has a secret of this name."""


class OwnedBySource(Conflict):
    """The hook belongs to git: what is asked is done by a commit."""


class Hook(Root):
    """A named function bound for ever to one trigger.

    ``settings`` holds what the manifest says beside script and dependencies: ``enabled`` (the wish;
    whether it is enabled is the trigger's fact), ``order``, ``timeout_ms``, ``network``,
    ``required_secrets`` and ``prune``. ``digest`` covers script, dependencies and settings.
    """

    TOPIC = "hook"

    class Created(Root.Created):
        """A hook came into being."""

        TOPIC: ClassVar[str] = "hook.created"
        name: str
        trigger: str
        owner: str
        path: str | None
        language: str
        script: str
        dependencies: dict[str, str]
        settings: dict[str, Any]
        digest: str

    class ScriptChanged(Root.Event):
        """Its code is another from here on."""

        TOPIC: ClassVar[str] = "hook.script_changed"
        language: str
        script: str
        digest: str

    class Renamed(Root.Event):
        """It goes by another name."""

        TOPIC: ClassVar[str] = "hook.renamed"
        name: str
        previous: str

    class Moved(Root.Event):
        """Its folder in the source is another."""

        TOPIC: ClassVar[str] = "hook.moved"
        class_version: ClassVar[int] = 2
        path: str
        previous: str | None
        """None for a hook of the API that git took over, and in events of version 1."""

        @staticmethod
        def upcast_v1_v2(members: dict[str, Any]) -> None:
            members["previous"] = None

    class DependenciesChanged(Root.Event):
        """It needs other packages."""

        TOPIC: ClassVar[str] = "hook.dependencies_changed"
        dependencies: dict[str, str]
        digest: str

    class SettingsChanged(Root.Event):
        """Its manifest says something else."""

        TOPIC: ClassVar[str] = "hook.settings_changed"
        settings: dict[str, Any]
        digest: str

    class Deleted(Root.Event):
        """It is gone, and its secrets with it."""

        TOPIC: ClassVar[str] = "hook.deleted"
        name: str
        trigger: str

    class SecretSet(Root.Event):
        """A secret has a new value, stored sealed."""

        TOPIC: ClassVar[str] = "hook.secret_set"
        name: str
        key_id: str
        ciphertext: str
        replaced_key_id: str | None

    class SecretRemoved(Root.Event):
        """A secret is gone."""

        TOPIC: ClassVar[str] = "hook.secret_removed"
        name: str
        key_id: str

    @staticmethod
    def create_id(hook_id: str) -> str:
        return f"hook:{hook_id}"

    @event(Created)
    def __init__(
        self,
        name: str,
        trigger: str,
        owner: str,
        path: str | None,
        language: str,
        script: str,
        dependencies: dict[str, str],
        settings: dict[str, Any],
        digest: str,
    ) -> None:
        self.name = name
        self.trigger = trigger
        self.owner = owner
        self.path = path
        self.language = language
        self.script = script
        self.dependencies = dependencies
        self.settings = settings
        self.digest = digest
        self.secrets: dict[str, str] = {}
        self.deleted = False

    @classmethod
    def create(
        cls,
        hook_id: str,
        *,
        name: str,
        trigger: str,
        owner: str,
        path: str | None,
        language: Language,
        script: str,
        dependencies: dict[str, str],
        settings: dict[str, Any],
        digest: str,
    ) -> Hook:
        """Make a hook; ``hook_id`` is a ULID and ``name`` must be reserved in the same save."""
        return cls._create(
            cls.Created,
            id=cls.create_id(hook_id),
            name=check_name(name),
            trigger=trigger,
            owner=owner,
            path=path,
            language=language,
            script=script,
            dependencies=dependencies,
            settings=settings,
            digest=digest,
        )

    @property
    def public_id(self) -> str:
        """The ULID that callers know."""
        return self.id.removeprefix("hook:")

    def change_script(self, language: Language, script: str, digest: str) -> None:
        self._require_present()
        if (language, script) != (self.language, self.script):
            self._script_changed(language=language, script=script, digest=digest)

    def change_dependencies(self, dependencies: dict[str, str], digest: str) -> None:
        self._require_present()
        if dependencies != self.dependencies:
            self._dependencies_changed(dependencies=dependencies, digest=digest)

    def change_settings(self, settings: dict[str, Any], digest: str) -> None:
        self._require_present()
        if settings != self.settings:
            self._settings_changed(settings=settings, digest=digest)

    def move(self, path: str) -> None:
        self._require_present()
        if path != self.path:
            self._moved(path=path, previous=self.path)

    def rename(self, name: str) -> None:
        self._require_present()
        if name != self.name:
            self._renamed(name=check_name(name), previous=self.name)

    def delete(self) -> None:
        if not self.deleted:
            self._deleted(name=self.name, trigger=self.trigger)

    def set_secret(self, secret: SealedSecret) -> str | None:
        """Keep a sealed value; return the key id it replaces, for the vault to destroy."""
        self._require_present()
        if secret.name not in self.secrets and len(self.secrets) >= MAX_SECRETS_PER_HOOK:
            raise Rejected(
                f"`{self.name}` has {MAX_SECRETS_PER_HOOK} secrets, the most a hook may have."
            )
        replaced = self.secrets.get(secret.name)
        self._secret_set(
            name=secret.name,
            key_id=secret.key_id,
            ciphertext=secret.ciphertext,
            replaced_key_id=replaced,
        )
        return replaced

    def remove_secret(self, name: str) -> str:
        """Forget a secret; return its key id, for the vault to destroy."""
        self._require_present()
        if name not in self.secrets:
            raise SecretNotFound(f"Hook `{self.name}` has no secret `{name}`.")
        key_id = self.secrets[name]
        self._secret_removed(name=name, key_id=key_id)
        return key_id

    def _require_present(self) -> None:
        if self.deleted:
            raise Conflict(f"Hook `{self.name}` is deleted.")

    @event(ScriptChanged)
    def _script_changed(self, language: str, script: str, digest: str) -> None:
        self.language, self.script, self.digest = language, script, digest

    @event(DependenciesChanged)
    def _dependencies_changed(self, dependencies: dict[str, str], digest: str) -> None:
        self.dependencies, self.digest = dependencies, digest

    @event(SettingsChanged)
    def _settings_changed(self, settings: dict[str, Any], digest: str) -> None:
        self.settings, self.digest = settings, digest

    @event(Moved)
    def _moved(self, path: str, previous: str | None) -> None:  # noqa: ARG002 (kept for readers of the log)
        self.path = path

    @event(Renamed)
    def _renamed(self, name: str, previous: str) -> None:  # noqa: ARG002 (kept for readers of the log)
        self.name = name

    @event(Deleted)
    def _deleted(self, name: str, trigger: str) -> None:  # noqa: ARG002 (kept for readers of the log)
        self.deleted = True
        self.secrets = {}

    @event(SecretSet)
    def _secret_set(
        self,
        name: str,
        key_id: str,
        ciphertext: str,  # noqa: ARG002 (kept for readers of the log)
        replaced_key_id: str | None,  # noqa: ARG002
    ) -> None:
        self.secrets[name] = key_id

    @event(SecretRemoved)
    def _secret_removed(self, name: str, key_id: str) -> None:  # noqa: ARG002
        self.secrets.pop(name)
