"""Tree objects, from bytes: what they hold, and what of it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gitops.trees import Entry, EntryKind, MalformedTree, parse_tree, wrong_with

SHA = bytes(range(20))

_NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)
_MODES = st.sampled_from([b"40000", b"100644", b"100755", b"120000", b"160000", b"100600"])


def written(*entries: tuple[bytes, bytes]) -> bytes:
    return b"".join(mode + b" " + name + b"\0" + SHA for mode, name in entries)


@given(st.lists(st.tuples(_MODES, _NAMES), max_size=8))
def test_every_entry_is_found_again(entries: list[tuple[bytes, bytes]]) -> None:
    parsed = parse_tree(written(*entries))
    assert [entry.name.encode("utf-8", "surrogateescape") for entry in parsed] == [
        name for _, name in entries
    ]
    assert {entry.sha for entry in parsed} <= {SHA.hex()}


@given(st.binary(max_size=80))
def test_bytes_are_a_tree_or_refused(data: bytes) -> None:
    try:
        entries = parse_tree(data)
    except MalformedTree:
        return
    list(wrong_with(entries))
    assert len(data) >= 27 * len(entries)


@pytest.mark.parametrize(
    "data",
    [
        b"100644 x\0short",
        b"x",
        written((b"100644", b"a")) + b"1",
        b"100648 a\0" + SHA,
        written((b"100644", b"a")) + b"?" + written((b"100644", b"b")),
    ],
)
def test_what_is_no_tree_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedTree):
        parse_tree(data)


@pytest.mark.parametrize(
    "name", ["hook.toml", ".gitkeep", ".gitignore", "git", "ünïcode", "a b", "..a"]
)
def test_ordinary_names_are_accepted(name: str) -> None:
    assert list(wrong_with([Entry(name, EntryKind.FILE, SHA.hex())])) == []


def test_files_may_differ_by_case_but_folders_may_not() -> None:
    file, folder = EntryKind.FILE, EntryKind.FOLDER
    entries = [Entry("a", file, ""), Entry("A", file, ""), Entry("Straße", folder, "")]
    assert list(wrong_with(entries)) == []
    assert len(list(wrong_with([*entries, Entry("STRASSE", folder, "")]))) == 1
    decomposed = Entry("u\N{COMBINING DIAERESIS}", folder, "")
    assert len(list(wrong_with([Entry("\xfc", folder, ""), decomposed]))) == 1
