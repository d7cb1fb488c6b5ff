"""What the editor sends back of a hook's folder becomes the changes of a commit, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.application.syncing.commit_files import FolderFiles
from app.domain.errors import Conflict, NotFound, Rejected
from app.domain.revisions import CommitSha
from app.web.dashboard.frame.forms import Form
from app.web.dashboard.hooks.hook_files import (
    HookFile,
    HookFolder,
    changed_files,
    digest_of,
    folder_of,
    kept_here,
    require_unchanged,
    with_draft,
)

AT = "hooks/pre-user-registration/a-hook"
SCRIPT = "def hook(user, context):\n    return {}\n"
TIP = {
    "hook.py": SCRIPT.encode(),
    "hook.toml": b"enabled = true\n",
    "fixtures/one.json": b"{}\n",
}

Folder = Callable[..., HookFolder]


@pytest.fixture
def folder(make_hook: Callable[..., Any]) -> Folder:
    """Show a folder that holds these files."""

    def shown(files: Mapping[str, bytes] = TIP) -> HookFolder:
        hook = make_hook("a-hook", owner="source:default", path=AT, language="python", script=SCRIPT)  # fmt: skip
        return folder_of(hook, FolderFiles(CommitSha("a" * 40), below(files)))

    return shown


def below(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{AT}/{path}": content for path, content in files.items()}


def sent(shown: HookFolder, **fields: str) -> Form:
    """Send the folder as it was shown, but for ``fields``."""
    form = {"script": shown.script.text, "was_script": shown.script.was}
    for file in shown.beside:
        form |= {f"file:{file.path}": file.text, f"was:{file.path}": file.was}
    return Form(list({**form, **fields}.items()))


def test_what_was_not_touched_is_not_in_the_commit(folder: Folder) -> None:
    with pytest.raises(Rejected, match="nothing to commit"):
        changed_files(with_draft(folder(), sent(folder())), AT, below(TIP))


def test_what_others_changed_meanwhile_stays(folder: Folder) -> None:
    moved_on = TIP | {"hook.toml": b"enabled = false\n", "hook.py": b"# Theirs.\n"}
    form = sent(folder(), **{"file:fixtures/one.json": "[]\n"})
    drafted = with_draft(folder(moved_on), form)
    assert changed_files(drafted, AT, below(moved_on)) == {f"{AT}/fixtures/one.json": "[]\n"}
    assert [file.text for file in (drafted.script, drafted.beside[0])] == ["# Theirs.\n", "enabled = false\n"]  # fmt: skip


def test_files_are_changed_removed_and_added(folder: Folder) -> None:
    form = sent(
        folder(),
        **{
            "script": SCRIPT + "# Mine.\n",
            "file:hook.toml": "enabled = false\n",
            "remove:fixtures/one.json": "yes",
            "file:fixtures/two.json": "[]\n",
            "was:fixtures/two.json": "",
        },
    )
    assert changed_files(with_draft(folder(), form), AT, below(TIP)) == {
        f"{AT}/hook.py": SCRIPT + "# Mine.\n",
        f"{AT}/hook.toml": "enabled = false\n",
        f"{AT}/fixtures/one.json": None,
        f"{AT}/fixtures/two.json": "[]\n",
    }


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("hook.py", {"script": "# Mine.\n"}),
        ("hook.toml", {"file:hook.toml": "enabled = false\n"}),
        ("fixtures/one.json", {"remove:fixtures/one.json": "yes"}),
    ],
)
def test_what_the_draft_and_somebody_else_changed_is_a_conflict(
    folder: Folder, path: str, fields: dict[str, str]
) -> None:
    form = sent(folder(), **fields)
    theirs = TIP | {path: b"# Theirs.\n"}
    drafted = with_draft(folder(theirs), form)
    assert [file.path for file in drafted.conflicts] == [path]
    with pytest.raises(Conflict, match=f"`{path}`"):
        changed_files(drafted, AT, below(theirs))


def test_both_making_the_same_of_a_file_is_no_conflict(folder: Folder) -> None:
    form = sent(folder(), script="# Same.\n", **{"file:hook.toml": "order = 1\n"})
    theirs = TIP | {"hook.py": b"# Same.\n"}
    changes = changed_files(with_draft(folder(theirs), form), AT, below(theirs))
    assert changes == {f"{AT}/hook.toml": "order = 1\n"}


def test_what_somebody_else_removed_is_not_brought_back_unseen(folder: Folder) -> None:
    gone = {path: content for path, content in TIP.items() if "one" not in path}
    form = sent(folder(), **{"file:fixtures/one.json": "[]\n"})
    with pytest.raises(Conflict, match=r"one\.json"):
        changed_files(with_draft(folder(gone), form), AT, below(gone))


@pytest.mark.parametrize("path", ["hook.py", "hook.js", "secrets.age"])
def test_an_added_file_replaces_none_that_is_not_shown(folder: Folder, path: str) -> None:
    tip = TIP | {"secrets.age": b"sealed"}
    form = sent(folder(tip), **{f"file:{path}": "x", f"was:{path}": ""})
    with pytest.raises(Rejected, match="Nothing was committed"):
        changed_files(with_draft(folder(tip), form), AT, below(tip))


def test_the_line_ends_of_windows_stay(folder: Folder) -> None:
    tip = TIP | {"hook.toml": b"enabled = true\r\norder = 1\r\n", "a.txt": b"a\r\nb\r\n"}
    form = sent(folder(tip), **{"file:hook.toml": "enabled = true\norder = 2\n"})
    assert changed_files(with_draft(folder(tip), form), AT, below(tip)) == {
        f"{AT}/hook.toml": "enabled = true\r\norder = 2\r\n"
    }


def test_each_file_that_is_not_shown_says_why(folder: Folder) -> None:
    many = {f"fixtures/{number:02}.json": b"{}" for number in range(45)}
    odd = {"secrets.age": b"x", "a.png": b"\x89PNG\xff", "b.bin": b"a\0b"}
    shown = folder(TIP | many | odd)
    why = {problem.file: problem.message for problem in shown.unseen}
    assert why["secrets.age"].startswith("is sealed")
    assert why["a.png"] == why["b.bin"] == "is not text"
    assert why["fixtures/44.json"] == "comes after the first 40 files"
    assert len(shown.beside) == 40
    large = folder(TIP | {"fixtures/large.json": b"1" * 200_001})
    assert "does not fit" in large.unseen[0].message


def test_the_branch_is_shown_though_something_else_is_in_force(folder: Folder) -> None:
    assert folder(TIP | {"hook.py": b"broken("}).script.text == "broken("
    named = folder({"hook.toml": b'script = "main.py"\n', "main.py": b"x = 1\n", "hook.py": b""})
    assert named.script.path == "main.py"
    with pytest.raises(NotFound, match="no script"):
        folder({"hook.toml": b"enabled = true\n"})


def test_a_hook_without_files_is_judged_by_script_and_packages() -> None:
    began = kept_here("one", "node", {"lodash": "4.17.21"})
    form = Form(
        [
            ("script", "mine"),
            ("was_script", began.script.was),
            ("dependencies", "lodash 4.17.21\n"),
            ("was_dependencies", began.packages.was if began.packages else ""),
        ]
    )
    now = kept_here("one", "node", {"lodash": "4.17.22"})
    drafted = with_draft(now, form)
    require_unchanged(drafted)
    assert drafted.packages is not None
    assert drafted.packages.text == "lodash 4.17.22\n"
    with pytest.raises(Conflict, match=r"hook\.js"):
        require_unchanged(with_draft(kept_here("theirs", "node", {}), form))


def test_a_new_hooks_files_exist_nowhere_yet() -> None:
    starter = HookFolder(script=HookFile(path="hook.py", now="# Begin.\n"), open=True)
    form = Form([("script", "# Begin.\n"), ("was_script", "")])
    assert changed_files(with_draft(starter, form), AT, {}) == {f"{AT}/hook.py": "# Begin.\n"}
    assert digest_of("a\r\nb\r") == digest_of("a\nb\n")
