"""What the editor sends back of a hook's folder becomes the changes of a commit, and no others."""

from __future__ import annotations

import pytest

from app.domain.errors import Conflict, Rejected
from app.web.dashboard.forms import Form
from app.web.dashboard.hook_files import changed_files, digest_of

FOLDER = "hooks/pre-user-registration/a-hook"
TIP = {
    f"{FOLDER}/hook.toml": b"enabled = true\n",
    f"{FOLDER}/fixtures/one.json": b"{}\n",
}


def sent(**fields: str) -> Form:
    """Send the folder as it was shown, but for ``fields``."""
    shown: dict[str, str] = {}
    for full, content in TIP.items():
        path = full.removeprefix(f"{FOLDER}/")
        shown |= {f"file:{path}": content.decode(), f"was:{path}": digest_of(content)}
    return Form(list({**shown, **fields}.items()))


def test_what_was_not_touched_is_not_in_the_commit() -> None:
    assert changed_files(sent(), FOLDER, TIP) == {}
    moved_on = TIP | {f"{FOLDER}/hook.toml": b"enabled = false\n"}
    assert changed_files(sent(), FOLDER, moved_on) == {}


def test_files_are_changed_removed_and_added() -> None:
    form = sent(
        **{
            "file:hook.toml": "enabled = false\n",
            "remove:fixtures/one.json": "yes",
            "new_path": "fixtures/two.json",
            "new_text": "[]\n",
        }
    )
    assert changed_files(form, FOLDER, TIP) == {
        f"{FOLDER}/hook.toml": "enabled = false\n",
        f"{FOLDER}/fixtures/one.json": None,
        f"{FOLDER}/fixtures/two.json": "[]\n",
    }


def test_a_file_that_somebody_else_changed_is_not_overwritten() -> None:
    theirs = TIP | {f"{FOLDER}/hook.toml": b"timeout = 5\n"}
    with pytest.raises(Conflict, match="Somebody changed"):
        changed_files(sent(**{"file:hook.toml": "enabled = false\n"}), FOLDER, theirs)
    gone = {path: content for path, content in TIP.items() if "one" not in path}
    with pytest.raises(Conflict, match="Somebody changed"):
        changed_files(sent(**{"remove:fixtures/one.json": "yes"}), FOLDER, gone)


@pytest.mark.parametrize("path", ["hook.toml", "hook.py", "hook.js"])
def test_a_new_file_replaces_none(path: str) -> None:
    with pytest.raises(Rejected, match="Nothing was committed"):
        changed_files(sent(new_path=path, new_text="x"), FOLDER, TIP)


def test_the_files_of_a_new_hook_exist_nowhere_yet() -> None:
    form = Form([("file:hook.toml", "enabled = true\n"), ("was:hook.toml", "")])
    assert changed_files(form, FOLDER, {}) == {f"{FOLDER}/hook.toml": "enabled = true\n"}
    with pytest.raises(Conflict):
        changed_files(form, FOLDER, TIP)
