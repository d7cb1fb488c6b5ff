"""Commits and tags, from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Stalled
from app.gitops.commits import TagTarget, parents_of, parse_commit, parse_tag

SHA = "0123456789" * 4
HEAD = f"tree {SHA}\nparent {SHA}\nauthor A <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n"


def test_the_subject_is_the_first_paragraph_on_one_line() -> None:
    facts = parse_commit(SHA, f"{HEAD}\n\nFirst\n  line\n\nBody".encode())
    assert (facts.tree, facts.author, facts.committer) == (SHA, "A <a@x>", "B <b@x>")
    assert facts.message == "First line"


def test_headers_inside_a_signature_or_the_message_do_not_count() -> None:
    signed = (
        HEAD
        + "gpgsig -----BEGIN\n author Eve <e@x> 1 +0000\n -----END\nauthor Eve <e@x>\n\nauthor Eve\n"
    )
    assert parse_commit(SHA, signed.encode()).author == "A <a@x>"


def test_parents_are_those_of_the_header_alone() -> None:
    merge = HEAD.replace(f"parent {SHA}\n", f"parent {'1' * 40}\nparent {'2' * 40}\n")
    said = f"{merge}gpgsig -----BEGIN\n parent {'3' * 40}\n -----END\n\nparent {'4' * 40}\n"
    assert parents_of(said.encode()) == ("1" * 40, "2" * 40)
    assert parents_of(b"") == ()


def test_old_encodings_are_read() -> None:
    data = f"{HEAD}encoding ISO-8859-1\n\nGr".encode() + b"\xfc\xdfe"
    assert parse_commit(SHA, data).message == "Grüße"


def test_a_commit_without_a_message_has_an_empty_one() -> None:
    assert parse_commit(SHA, HEAD.encode()).message == ""


@given(st.binary(max_size=200))
def test_whatever_follows_the_tree_is_printable(rest: bytes) -> None:
    facts = parse_commit(SHA, f"tree {SHA}\n".encode() + rest)
    for text in (facts.author, facts.committer, facts.message):
        assert text.isprintable()
        assert len(text) <= 200


def test_what_names_no_tree_is_no_commit() -> None:
    with pytest.raises(Stalled, match="names no tree"):
        parse_commit(SHA, b"parent x\n")


def test_a_tag_names_an_object_and_its_kind() -> None:
    data = f"object {SHA}\ntype commit\ntag v1\n".encode()
    assert parse_tag(SHA, data) == TagTarget(SHA, "commit")
    with pytest.raises(Stalled, match="names no object"):
        parse_tag(SHA, b"object -x\ntype commit\n")
