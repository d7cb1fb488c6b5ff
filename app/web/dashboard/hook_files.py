"""The files of a hook that lives in git, as the editor shows them and sends them back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.application.views import HookRow
from app.domain.contracts import TriggerContract
from app.domain.errors import Conflict, HookledgerError, Problem, Rejected
from app.domain.outcomes import SCRIPT_FILES
from app.web.dashboard.forms import Form
from app.web.dashboard.pages import Visit

COMMIT = "commit:hooks"
MANIFEST = "hook.toml"
_MOST_FILES = 40
_MOST_CHARACTERS = 200_000
_log = logging.getLogger("hookledger.dashboard")


@dataclass(frozen=True, slots=True)
class HookFile:
    """A file beside the script, by its path from the hook's folder."""

    path: str
    text: str
    digest: str = ""
    """Of what the repository has; empty for a file that does not exist yet."""

    @property
    def removable(self) -> bool:
        """Whether the hook is still one without it."""
        return self.path != MANIFEST


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def writable_sources(visit: Visit) -> Sequence[str]:
    """Return the sources that this person may commit to from here."""
    return sorted(visit.services.committers) if visit.may(COMMIT) else []


def first_files(visit: Visit, contract: TriggerContract) -> Sequence[HookFile]:
    """Return what a new hook's folder begins with, beside its script."""
    if contract.mode == "single" and (active := visit.table.active_hook(contract.id)) is not None:
        text = f"# `{active.name}` answers this trigger now; only one can.\nenabled = false\n"
    else:
        text = "enabled = true\n"
    return [HookFile(MANIFEST, text)]


async def files_of(visit: Visit, hook: HookRow) -> Sequence[HookFile] | None:
    """Return the text files of a hook's folder at the tip; None where they cannot be changed."""
    source = hook.owner.partition(":")[2]
    if hook.path is None or source not in writable_sources(visit):
        return None
    try:
        found = await visit.services.committers[source].read(hook.path)
    except HookledgerError as error:
        _log.info("folder_not_shown", extra={"hook": hook.name, "reason": str(error)})
        return None
    return list(_shown(hook, found.files))


def _shown(hook: HookRow, files: Mapping[str, bytes]) -> Iterator[HookFile]:
    left = _MOST_CHARACTERS
    for path, content in sorted(files.items(), key=_manifest_first)[:_MOST_FILES]:
        if content == hook.script.encode() or path.endswith(".age"):
            continue
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        left -= len(text)
        if left >= 0 and "\r" not in text:  # forms could not bring it back as it was
            yield HookFile(path.removeprefix(f"{hook.path}/"), text, digest_of(content))


def _manifest_first(item: tuple[str, bytes]) -> tuple[bool, str]:
    return not item[0].endswith(f"/{MANIFEST}"), item[0]


def sent_files(form: Form) -> Sequence[HookFile]:
    """Return the files as a form has them, to be shown again."""
    names = [name.removeprefix("file:") for name, _ in form if name.startswith("file:")]
    return [HookFile(n, form.text(f"file:{n}"), form.text(f"was:{n}")) for n in names]


def changed_files(form: Form, folder: str, tip: Mapping[str, bytes]) -> dict[str, str | None]:
    """Return what a form changes in a folder, by path; None is to be removed.

    Raises ``Conflict`` for a file that somebody else has changed since it was shown, ``Rejected``
    for a new one that is there already.
    """
    changes: dict[str, str | None] = {}
    for name, text in form:
        kind, _, path = name.partition(":")
        if kind != "file" or not path:
            continue
        was, full = form.text(f"was:{path}"), f"{folder}/{path}"
        wanted = None if form.checked(f"remove:{path}") else text
        if wanted is not None and digest_of(wanted.encode()) == was:
            continue
        if (digest_of(tip[full]) if full in tip else "") != was:
            raise Conflict(
                f"Somebody changed `{full}` since you opened it. Your draft is still in this "
                "browser: open the editor again and compare."
            )
        changes[full] = wanted
    added = form.word("new_path")
    if added:
        full = f"{folder}/{added}"
        if full in tip or full in changes or added in SCRIPT_FILES.values():
            problem = Problem("is there already; change it where it is shown", file=full)
            raise Rejected("Nothing was committed.", problems=[problem])
        changes[full] = form.text("new_text")
    return changes
