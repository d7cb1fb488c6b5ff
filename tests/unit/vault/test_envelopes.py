"""What is encrypted opens only with the same key and the same binding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vault.envelopes import bind, decrypt, derive, encrypt, new_key

KEY = bytes(range(32))


@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_what_was_encrypted_is_decrypted(data: bytes, bound_to: bytes) -> None:
    assert decrypt(KEY, encrypt(KEY, data, bound_to), bound_to) == data


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_parts_never_bind_alike(one: list[str], other: list[str]) -> None:
    assert (bind(*one) == bind(*other)) == (one == other)


@given(st.integers(min_value=0, max_value=8 * 44 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    sealed = bytearray(encrypt(KEY, b"sixteen bytes ok", b"x"))
    assert len(sealed) == 44
    sealed[bit // 8] ^= 1 << bit % 8
    assert decrypt(KEY, bytes(sealed), b"x") is None


@pytest.mark.parametrize("size", [0, 1, 12, 27])
def test_truncated_bytes_are_refused_not_an_error(size: int) -> None:
    assert decrypt(KEY, encrypt(KEY, b"", b"")[:size], b"") is None


def test_another_key_or_binding_does_not_open() -> None:
    sealed = encrypt(KEY, b"value", b"here")
    assert decrypt(new_key(), sealed, b"here") is None
    assert decrypt(KEY, sealed, b"there") is None


def test_equal_data_never_looks_equal() -> None:
    assert encrypt(KEY, b"value", b"") != encrypt(KEY, b"value", b"")


def test_each_purpose_has_its_own_key() -> None:
    assert derive(KEY, "queue") == derive(KEY, "queue")
    assert len({derive(KEY, "queue"), derive(KEY, "wrap"), derive(new_key(), "queue"), KEY}) == 4
