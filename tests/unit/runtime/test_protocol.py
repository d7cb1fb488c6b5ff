"""Messages between server and worker, cut from a stream that a hostile side may write."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.inside import protocol
from app.runtime.inside.protocol import Frames, Violation, message

LONGEST = 1000

messages = st.lists(
    st.tuples(st.integers(0, 0xFFFF_FFFF), st.integers(0, 255), st.binary(max_size=LONGEST - 1)),
    max_size=8,
)


@given(messages, st.lists(st.integers(1, 300)))
def test_messages_arrive_whole_however_the_stream_is_cut(
    sent: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(message(*one) for one in sent)
    frames = Frames(LONGEST)
    received = []
    for cut in cuts:
        received += frames.feed(stream[:cut])
        stream = stream[cut:]
    received += frames.feed(stream)
    assert received == sent


@pytest.mark.parametrize("length", [0, LONGEST + 1, 0xFFFF_FFFF])
def test_a_length_that_no_message_has_is_refused_at_once(length: int) -> None:
    with pytest.raises(Violation, match=str(length)):
        Frames(LONGEST).feed(struct.pack("<II", length, 1))


def test_a_bad_length_is_found_behind_good_messages_and_across_cuts() -> None:
    bad = struct.pack("<II", LONGEST + 1, 1)
    with pytest.raises(Violation):
        Frames(LONGEST).feed(message(1, 1) + bad)
    frames = Frames(LONGEST)
    assert frames.feed(bad[:5]) == []
    with pytest.raises(Violation):
        frames.feed(bad[5:])


def test_a_message_that_never_ends_is_held_only_up_to_its_length() -> None:
    frames = Frames(LONGEST)
    assert frames.feed(struct.pack("<II", LONGEST, 1)) == []
    for _ in range(LONGEST - 1):
        assert frames.feed(b"x") == []
    assert frames.feed(b"x" + message(2, 3)) == [(1, ord("x"), b"x" * (LONGEST - 1)), (2, 3, b"")]


def test_a_call_is_read_as_it_was_written() -> None:
    request = b'{"headers": {}}'
    written = protocol.call_message(7, 12.5, 3.0, b"inv", b'{"a": 1}', request)
    ((number, kind, body),) = Frames(LONGEST).feed(written)
    assert (number, kind) == (7, protocol.CALL)
    assert protocol.read_call(body) == (12.5, 3.0, "inv", b'{"a": 1}', request)


@pytest.mark.parametrize("text", ["", "plain", "é✓", "lone \ud800 surrogate"])
def test_a_log_line_is_read_as_it_was_written(text: str) -> None:
    body = protocol.log_body(2, 1, text)
    assert protocol.read_log(body) == (2, 1, text.replace("\ud800", "?"))


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x04\x00x", b"\x00\x03x"])
def test_a_log_line_without_level_and_stream_is_a_violation(body: bytes) -> None:
    with pytest.raises(Violation):
        protocol.read_log(body)


def test_bytes_of_a_line_that_are_no_text_are_replaced() -> None:
    assert protocol.read_log(b"\x00\x00\xff!")[2] == "\ufffd!"
