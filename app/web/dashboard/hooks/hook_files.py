"""The files of a hook as the editor shows them: what there is now, and what a draft makes of it.

A draft says of each file by a digest what it was made of. So whatever somebody else changed in the
meantime is seen: in a file that the draft leaves alone it stays, in one that it changes it is a
conflict, never overwritten unseen.
"""

from __future__ import annotations

import hashlib
import posixpath
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.application.syncing.commit_files import FolderFiles
from app.application.views import HookRow
from app.domain.errors import Conflict, NotFound, Problem, Rejected
from app.domain.manifests.manifest import MANIFEST
from app.domain.outcomes import SCRIPT_FILES, Language
from app.domain.revisions import CommitSha
from app.domain.triggers.contracts import TriggerContract
from app.web.dashboard.frame.forms import Form
from app.web.dashboard.frame.pages import Visit
from app.web.dashboard.hooks.starters import starter

COMMIT = "commit:hooks"
PACKAGES = "packages"
"""Stands for the packages of a hook that this server keeps, which has no files."""

_MOST_FILES = 40
_MOST_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFile:
    """A file of the hook, by its path from the hook's folder."""

    path: str
    now: str
    """What there is now, with the line ends of forms; of a new file what it begins with."""
    digest: str = ""
    """Of ``now``; empty for a file that does not exist yet."""
    draft: str | None = None
    """What shall become of it; None: it stays as it is."""
    was: str = ""
    """Digest of what the draft was made of."""
    removed: bool = False

    @property
    def text(self) -> str:
        return self.now if self.draft is None else self.draft

    @property
    def changes(self) -> bool:
        """Whether a commit of the draft changes it."""
        return self.removed or (self.draft is not None and digest_of(self.draft) != self.digest)

    @property
    def conflicts(self) -> bool:
        """Whether the draft would undo what somebody else did since."""
        return self.changes and self.was != self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFolder:
    """All that the editor shows of a hook's folder."""

    script: HookFile
    beside: Sequence[HookFile] = ()
    packages: HookFile | None = None
    """Of a hook that has no folder."""
    unseen: Sequence[Problem] = ()
    """Files that a form cannot hold, each with why."""
    open: bool = False
    """Whether there are files beside the script that can be changed here."""
    commit: CommitSha | None = None
    """The branch's tip; None for a folder that is not there yet."""

    @property
    def files(self) -> Iterator[HookFile]:
        yield self.script
        yield from self.beside
        if self.packages is not None:
            yield self.packages

    @property
    def conflicts(self) -> Sequence[HookFile]:
        return [file for file in self.files if file.conflicts]


def digest_of(text: str) -> str:
    """Return a digest that is the same whichever line ends a browser made of a file's."""
    return hashlib.sha256(_with_newlines(text).encode()).hexdigest()


def writable_sources(visit: Visit) -> Sequence[str]:
    """Return the sources that this person may commit to from here."""
    return sorted(visit.services.committers) if visit.may(COMMIT) else []


def new_folder(visit: Visit, contract: TriggerContract, language: Language) -> HookFolder:
    """Return what a new hook of git begins with."""
    if contract.mode == "single" and (active := visit.table.active_hook(contract.id)) is not None:
        manifest = f"# `{active.name}` answers this trigger now; only one can.\nenabled = false\n"
    else:
        manifest = "enabled = true\n"
    return HookFolder(
        script=HookFile(path=SCRIPT_FILES[language], now=starter(contract, language)),
        beside=[HookFile(path=MANIFEST, now=manifest)],
        open=True,
    )


def not_saved(contract: TriggerContract, language: Language) -> HookFolder:
    """Return what a new hook begins with that this server shall keep."""
    script = HookFile(path=SCRIPT_FILES[language], now=starter(contract, language))
    return HookFolder(script=script, packages=HookFile(path=PACKAGES, now=""))


def kept_here(script: str, language: Language, packages: Mapping[str, str]) -> HookFolder:
    """Show as files what is known of a hook without its folder."""
    listed = "".join(f"{name} {version}\n" for name, version in packages.items())
    return HookFolder(
        script=_present(SCRIPT_FILES[language], script), packages=_present(PACKAGES, listed)
    )


def folder_of(hook: HookRow, found: FolderFiles) -> HookFolder:
    """Show a hook's folder as the branch has it, which need not be what is in force.

    Raises ``NotFound`` when there is no script that a form could hold.
    """
    at = f"{hook.path}/"
    files = {path.removeprefix(at): content for path, content in found.files.items()}
    script = _script_of(hook, files)
    texts, unseen = dict[str, str](), list[Problem]()
    left = _MOST_CHARACTERS
    for path in sorted(files, key=lambda path: (path != script, path != MANIFEST, path)):
        text, why = _text(path, files[path])
        left -= len(text) if path != script else 0
        if not why and len(texts) > _MOST_FILES:
            why = f"comes after the first {_MOST_FILES} files"
        elif not why and left < 0:
            why = f"does not fit: the folder has more than {_MOST_CHARACTERS:,} characters"
        if why:
            unseen.append(Problem(why, file=path))
        else:
            texts[path] = text
    if script not in texts:
        raise NotFound(f"The branch has no script of `{hook.name}` below `{hook.path}`.")
    shown = {path: _present(path, text) for path, text in texts.items()}
    return HookFolder(
        script=shown.pop(script),
        beside=list(shown.values()),
        unseen=unseen,
        open=True,
        commit=found.commit,
    )


def with_draft(folder: HookFolder, form: Form) -> HookFolder:
    """Lay over what there is now what a form has written."""
    shown = {file.path for file in folder.beside}
    sent = [name.removeprefix("file:") for name, _ in form if name.startswith("file:")]
    added = [HookFile(path=path, now="") for path in sent if path and path not in shown]
    return replace(
        folder,
        script=_drafted(folder.script, form, "script", "was_script"),
        beside=[
            _drafted(file, form, f"file:{file.path}", f"was:{file.path}")
            for file in (*folder.beside, *added)
        ],
        packages=folder.packages
        and _drafted(folder.packages, form, "dependencies", "was_dependencies"),
    )


def require_unchanged(folder: HookFolder) -> None:
    """Raise ``Conflict`` naming what the draft changes and somebody else has changed since."""
    named = " and ".join(f"`{file.path}`" for file in folder.conflicts)
    if named:
        raise Conflict(
            f"Somebody changed {named} since your draft began. Nothing was saved, and your draft "
            "is still here: look at both, and say what shall be."
        )


def changed_files(folder: HookFolder, at: str, tip: Mapping[str, bytes]) -> dict[str, str | None]:
    """Return what a draft changes in the folder ``at``, by path; None is to be removed.

    ``tip`` is what the branch has: the line ends of a file stay as they are. Raises ``Conflict``
    for what somebody else has changed since, ``Rejected`` when nothing would change.
    """
    require_unchanged(folder)
    _require_new([file for file in folder.beside if not file.digest], at, tip)
    changes = {
        f"{at}/{file.path}": None
        if file.removed
        else _ended_as(tip.get(f"{at}/{file.path}", b""), file.text)
        for file in folder.files
        if file.changes
    }
    if not changes:
        raise Rejected("The draft says just what the branch has: there is nothing to commit.")
    return changes


def _require_new(added: Sequence[HookFile], at: str, tip: Mapping[str, bytes]) -> None:
    taken = [f.path for f in added if f"{at}/{f.path}" in tip or f.path in SCRIPT_FILES.values()]
    if taken:
        message = "cannot be added: it is there, or would be a second script"
        problems = [Problem(message, file=f"{at}/{path}") for path in taken]
        raise Rejected("Nothing was committed.", problems=problems)


def _present(path: str, text: str) -> HookFile:
    digest = digest_of(text)
    return HookFile(path=path, now=text, digest=digest, was=digest)


def _drafted(file: HookFile, form: Form, text: str, was: str) -> HookFile:
    removed = form.checked(f"remove:{file.path}")
    written = form.text(text)
    if text not in form or (not removed and digest_of(written) == form.text(was)):
        return file
    return replace(file, draft=written, was=form.text(was), removed=removed)


def _script_of(hook: HookRow, files: Mapping[str, bytes]) -> str:
    """Return the script's path: as the manifest says, or the one that is in force."""
    try:
        named = tomllib.loads(files.get(MANIFEST, b"").decode()).get("script")
    except (ValueError, RecursionError):  # the draft may mend it
        named = None
    usual = SCRIPT_FILES[hook.language]
    if isinstance(named, str) and named in files:
        return named
    same = [path for path, content in files.items() if content == hook.script.encode()]
    return usual if usual in files or not same else same[0]


def _text(path: str, content: bytes) -> tuple[str, str]:
    """Return the text of a file, or why it cannot be shown."""
    if path.endswith(".age"):
        return "", "is sealed; `hookledger secrets seal` replaces it"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "", "is not text"
    if "\0" in text:
        return "", "is not text"
    return _with_newlines(text), ""


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _ended_as(before: bytes, text: str) -> str:
    """Give a text back the line ends of Windows, if all of the file's were such."""
    lines = before.count(b"\n")
    return text.replace("\n", "\r\n") if lines and before.count(b"\r\n") == lines else text


def full_path(hook: HookRow | None, file: HookFile) -> str:
    """Return a file's path as the source has it."""
    return posixpath.join(hook.path, file.path) if hook is not None and hook.path else file.path
