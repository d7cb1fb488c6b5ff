"""Notes, checkpoints and verifier keys, byte for byte as other programs write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Rejected
from app.domain.history.checkpoints import (
    Checkpoint,
    VerifierKey,
    hash_from,
    opened_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    split_notes,
)
from app.vault.note_signatures import verify

# Example of Go's package golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
    "pRZb6KE6RyyBwJnAM=\n"
)
# Example of c2sp.org/tlog-checkpoint.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv"
    "2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_a_note_signed_by_gos_library_verifies_with_its_key() -> None:
    key, note = parse_verifier_key(GO_KEY), parse_note(GO_NOTE)

    (line,) = note.signatures
    assert (line.name, line.key_id) == (key.name, key.key_id)
    assert verify(key, note.text.encode(), line.signature)
    assert not verify(key, note.text.encode() + b"\n", line.signature)
    assert (str(key), str(note)) == (GO_KEY, GO_NOTE)


def test_the_checkpoint_of_the_specification_is_read_and_written_the_same() -> None:
    note = parse_note(C2SP_NOTE)
    checkpoint = parse_checkpoint(note.text)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == note.text
    assert str(note) == C2SP_NOTE


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text",
        "text\n\n",
        "text\n\nno signature\n",
        "text\n\n\u2014 name\n",
        "text\n\n\u2014 name AAAA\n",
        C2SP_NOTE.rstrip("\n"),
        C2SP_NOTE.replace("20852163", "2085\t2163"),
        C2SP_NOTE.replace("\u2014 example", "- example"),
        "x" * 70_000 + C2SP_NOTE,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Rejected):
        parse_note(note)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20852163", "020852163"),
        ("20852163", "-1"),
        ("20852163", "2 0"),
        ("20852163", "99999999999999999999"),
        ("20852163\n", ""),
        ("CsUY", "Cs"),
        ("q2I=", "q2J="),
        ("example.com/behind-the-sofa\n20", "\n20"),
    ],
)
def test_what_is_no_checkpoint_is_refused(old: str, new: str) -> None:
    text = parse_note(C2SP_NOTE).text
    assert old in text
    with pytest.raises(Rejected):
        parse_checkpoint(text.replace(old, new, 1))


def test_extension_lines_are_borne() -> None:
    text = parse_note(C2SP_NOTE).text + "an extension\n"
    assert parse_checkpoint(text).size == 20852163


@pytest.mark.parametrize(
    "key",
    [
        "",
        "name",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("Peter", "Petra"),
        GO_KEY.replace("+AR", "+AB"),
        GO_KEY[:-4],
    ],
)
def test_a_mistyped_verifier_key_is_refused(key: str) -> None:
    with pytest.raises(Rejected):
        parse_verifier_key(key)


def test_signatures_of_unknown_keys_are_ignored_but_never_enough() -> None:
    stranger = VerifierKey("example.com/behind-the-sofa", bytes(32))
    with pytest.raises(Rejected, match="No known key"):
        opened_checkpoint(C2SP_NOTE, (stranger,), lambda *_: True)


def test_a_wrong_signature_of_a_known_key_is_never_ignored() -> None:
    key = parse_verifier_key(GO_KEY)
    line = GO_NOTE.splitlines(keepends=True)[-1]
    forged = f"{key.name}\n1\n{'A' * 43}=\n\n{line}"
    with pytest.raises(Rejected, match="altered after it was signed"):
        opened_checkpoint(forged, (key,), verify)


def test_a_key_signs_for_the_log_of_its_own_name_only() -> None:
    key = parse_verifier_key(GO_KEY)
    line = GO_NOTE.splitlines(keepends=True)[-1]
    other = f"{Checkpoint('another', 1, bytes(32)).text}\n{line}"
    with pytest.raises(Rejected, match="is of the log `another`"):
        opened_checkpoint(other, (key,), lambda *_: True)


@given(between=st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_notes_in_one_file_are_taken_apart(between: list[int]) -> None:
    text = "".join(C2SP_NOTE + "\n" * blank for blank in between)
    assert list(split_notes(text)) == [C2SP_NOTE] * len(between)


@pytest.mark.parametrize("encoded", [None, 7, "", "AAAA", "x" * 44, "A" * 43 + "=\n"])
def test_only_32_bytes_are_a_hash(encoded: object) -> None:
    assert hash_from(encoded) is None
