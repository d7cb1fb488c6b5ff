"""Files of a hook's folder in, the desired hook out; or every problem at once, with its line.

Keys of ``hook.toml``: ``name``, ``trigger``, ``enabled``, ``script``, ``order``, ``timeout``,
``network``, ``[dependencies]``, ``[secrets] required``, ``prune``, ``[process]``,
``[tests] required``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from app.domain.documents.processes import TABLE as PROCESS
from app.domain.documents.processes import read_process
from app.domain.documents.toml_documents import TomlDocument, printable
from app.domain.documents.values import (
    KEEP_SECRETS_OUT,
    is_exact_version,
    is_network_address,
    is_package_name,
    parse_milliseconds,
    refuse_credentials,
)
from app.domain.errors import Problem, Rejected
from app.domain.hooks.names import check_name
from app.domain.hooks.secrets import MAX_SECRETS_PER_HOOK, check_secret
from app.domain.outcomes import SCRIPT_FILES, Language
from app.domain.plans.plan import DesiredHook
from app.domain.triggers.catalogue import languages_of
from app.domain.triggers.definitions import MAX_TIMEOUT_MS, MIN_TIMEOUT_MS
from app.domain.triggers.repository_settings import ManifestDefaults

MANIFEST = "hook.toml"
MAX_SCRIPT_BYTES = 256 * 1024
TESTS = "tests"
DEFAULT_SCRIPTS = tuple(SCRIPT_FILES.values())
"""Names a script may have without being named itself; the first that exists is taken."""
MAX_ORDER = 1_000_000
MAX_NETWORK_ENTRIES = 100
MAX_DEPENDENCIES = 100

_LANGUAGES: Mapping[str, Language] = {".py": "python", ".js": "node"}
_KEYS = (
    "name",
    "trigger",
    "enabled",
    "script",
    "order",
    "timeout",
    "network",
    "dependencies",
    "secrets",
    "prune",
    "process",
    "tests",
)


def parse_manifest(
    folder: str,
    manifest: bytes,
    files: Mapping[str, bytes],
    known_triggers: Collection[str],
    defaults: ManifestDefaults | None = None,
) -> DesiredHook:
    """Read the hook in ``folder`` (below the source's path, e.g. ``hooks/a-trigger/a-hook``).

    ``files`` maps names within the folder to contents; only the script is looked up, and the
    look-up may raise ``Rejected`` itself. Raises ``Rejected`` with every problem found.
    """
    document = TomlDocument.parse(f"{folder}/{MANIFEST}", manifest)
    document.refuse_unknown(document.members, _KEYS)
    refuse_credentials(document)
    name = _read_name(document, folder)
    trigger = _read_trigger(document, folder, known_triggers)
    script_file, language, script = _read_script(document, folder, files)
    if script and language not in (fit := languages_of(trigger)):
        document.refuse(f"hooks of `{trigger}` are written for {' or '.join(fit)} only", "script")
    dependencies = _read_dependencies(document, language)
    settings: dict[str, Any] = {
        "enabled": _read_flag(document, "enabled"),
        "order": _read_order(document),
        "timeout_ms": _read_timeout(document, (defaults or ManifestDefaults()).timeout_of(trigger)),
        "network": _read_network(document),
        "required_secrets": _read_required_secrets(document),
        "prune": _read_prune(document),
    }
    if process := read_process(document):
        settings[PROCESS] = process
    if _read_tests(document):
        settings[TESTS] = {"required": True}
    if document.problems:
        raise Rejected(f"{document.file} is not valid.", problems=document.problems)
    return DesiredHook(
        name=name,
        trigger=trigger,
        path=folder,
        language=language,
        script=script,
        script_file=script_file,
        dependencies=dependencies,
        settings=settings,
    )


def _read_name(document: TomlDocument, folder: str) -> str:
    name = document.members.get("name", folder.rpartition("/")[2])
    if not isinstance(name, str):
        document.refuse("must be a string", "name")
        return ""
    try:
        return check_name(name)
    except Rejected as refusal:
        whose = (
            "" if "name" in document.members else f"the folder's name `{name}` is no hook name: "
        )
        for problem in refusal.problems:
            document.refuse(f"{whose}{problem.message}", "name")
        return ""


def _read_trigger(document: TomlDocument, folder: str, known: Collection[str]) -> str:
    listed = ", ".join(known)
    if "trigger" not in document.members:
        for above in reversed(folder.split("/")[:-1]):
            if above in known:
                return above
        document.refuse(
            f"no folder above is named after a trigger, so it must be given; known are: {listed}",
            "trigger",
        )
        return ""
    trigger = document.members["trigger"]
    if not isinstance(trigger, str) or trigger not in known:
        document.refuse(f"is no trigger of this server; known are: {listed}", "trigger")
        return ""
    return trigger


def _read_script(
    document: TomlDocument, folder: str, files: Mapping[str, bytes]
) -> tuple[str, Language, str]:
    name = document.members.get("script")
    nothing: tuple[str, Language, str] = ("", "python", "")
    if name is None:
        name = next((default for default in DEFAULT_SCRIPTS if default in files), None)
        if name is None:
            document.refuse(f"the folder holds neither {' nor '.join(DEFAULT_SCRIPTS)}", "script")
            return nothing
    if not isinstance(name, str) or "/" in name or "\\" in name:
        document.refuse("must be the name of a file in the same folder", "script")
        return nothing
    language = _LANGUAGES.get(name[name.rfind(".") :])
    if language is None:
        document.refuse(f"must end in {' or '.join(_LANGUAGES)}", "script")
        return nothing
    if name not in files:
        document.refuse(f"there is no file `{printable(name)}` in {folder}", "script")
        return nothing
    return name, language, _read_source(document, f"{folder}/{name}", files, name)


def _read_source(document: TomlDocument, file: str, files: Mapping[str, bytes], name: str) -> str:
    def refuse(message: str, line: int | None = None) -> str:
        document.problems.append(Problem(message, file=file, line=line))
        return ""

    try:
        data = files[name]
    except Rejected as refusal:
        document.problems += refusal.problems
        return ""
    if len(data) > MAX_SCRIPT_BYTES:
        return refuse(f"is {len(data)} bytes; the limit is {MAX_SCRIPT_BYTES // 1024} KiB")
    if not data.strip():
        return refuse("is empty")
    if (nul := data.find(b"\0")) >= 0:
        return refuse("holds a NUL byte", data.count(b"\n", 0, nul) + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return refuse("is not UTF-8 text; save it as UTF-8", line)


def _read_flag(document: TomlDocument, key: str, *at: str) -> bool:
    table = document.table(at[0]) if at else document.members
    flag = table.get(key, False)
    if not isinstance(flag, bool):
        document.refuse("must be true or false", *at, key)
        return False
    return flag


def _read_order(document: TomlDocument) -> int:
    order = document.members.get("order", 0)
    if not isinstance(order, int) or isinstance(order, bool) or abs(order) > MAX_ORDER:
        document.refuse(f"must be a whole number between -{MAX_ORDER} and {MAX_ORDER}", "order")
        return 0
    return order


def _read_timeout(document: TomlDocument, default_ms: int) -> int:
    if "timeout" not in document.members:
        return default_ms
    milliseconds = parse_milliseconds(document.members["timeout"])
    if milliseconds is None:
        document.refuse('must be a duration such as "5s" or "500ms"', "timeout")
        return default_ms
    if not MIN_TIMEOUT_MS <= milliseconds <= MAX_TIMEOUT_MS:
        longest = MAX_TIMEOUT_MS // 1000
        document.refuse(f"must be between {MIN_TIMEOUT_MS}ms and {longest}s", "timeout")
    return milliseconds


def _read_network(document: TomlDocument) -> list[str]:
    entries = document.members.get("network", [])
    if not isinstance(entries, list) or len(entries) > MAX_NETWORK_ENTRIES:
        document.refuse(f"must be a list of at most {MAX_NETWORK_ENTRIES} `host:port`", "network")
        return []
    for index, entry in enumerate(entries):
        if not is_network_address(entry):
            document.refuse('must be `host:port`, e.g. "api.example.com:443"', "network", index)
        elif entry in entries[:index]:
            document.refuse(f"`{entry}` is listed twice", "network", index)
    return entries


def _read_dependencies(document: TomlDocument, language: Language) -> dict[str, str]:
    dependencies = document.table("dependencies")
    if len(dependencies) > MAX_DEPENDENCIES:
        document.refuse(f"lists more than {MAX_DEPENDENCIES} packages", "dependencies")
    for package, version in dependencies.items():
        if not is_package_name(package, language):
            document.refuse(f"is no package name for {language}", "dependencies", package)
        if not is_exact_version(version, language):
            document.refuse('must be one exact version, e.g. "1.2.3"', "dependencies", package)
    return dict(dependencies)


def _read_required_secrets(document: TomlDocument) -> list[str]:
    table = document.table("secrets")
    for key in table:
        if key != "required":
            document.refuse(
                "values of secrets may not stand in the repository, only `required` may stand "
                f"here; if this is a value, {KEEP_SECRETS_OUT}",
                "secrets",
                key,
            )
    required = table.get("required", [])
    if not isinstance(required, list) or len(required) > MAX_SECRETS_PER_HOOK:
        document.refuse(
            f"must be a list of at most {MAX_SECRETS_PER_HOOK} names", "secrets", "required"
        )
        return []
    for index, name in enumerate(required):
        for message in _wrong_with_secret_name(name, required[:index]):
            document.refuse(message, "secrets", "required", index)
    return required


def _wrong_with_secret_name(name: Any, before: list[Any]) -> list[str]:
    if not isinstance(name, str):
        return ["must be a string"]
    if name in before:
        return [f"`{name}` is listed twice"]
    try:
        check_secret(name, "any")
    except Rejected as refusal:
        return [problem.message for problem in refusal.problems]
    return []


def _read_tests(document: TomlDocument) -> bool:
    document.refuse_unknown(document.table(TESTS), ("required",), TESTS)
    return _read_flag(document, "required", TESTS)


def _read_prune(document: TomlDocument) -> str | bool:
    prune = document.members.get("prune", "auto")
    if prune not in ("auto", "confirm") and prune is not False:
        document.refuse('must be "auto", "confirm" or false', "prune")
        return "auto"
    return str(prune) if prune else False
