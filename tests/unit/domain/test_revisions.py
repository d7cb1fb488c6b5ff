"""Digests and keys: equal exactly when what they name is."""

from app.domain.revisions import digest_of, version_key


def test_a_byte_that_moves_to_the_next_part_changes_the_digest() -> None:
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")


def test_the_version_does_not_depend_on_the_order_of_secrets() -> None:
    assert version_key("h", "d", {"X": "k1", "Y": "k2"}) == version_key(
        "h", "d", {"Y": "k2", "X": "k1"}
    )


def test_whatever_a_process_is_made_of_changes_the_version() -> None:
    keys = {
        version_key("h", "d", {}),
        version_key("other", "d", {}),
        version_key("h", "other", {}),
        version_key("h", "d", {"X": "k1"}),
        version_key("h", "d", {"X": "k2"}),
        version_key("h", "d", {"Y": "k1"}),
    }
    assert len(keys) == 6
