"""Secret values do not leave in what hooks write, however they are written."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.masking.masks import LineMasker, Masker, mask_for

SECRET = 's3cr/et+"värde"&=~42'


def lines(masker: Masker, *texts: str) -> list[str]:
    state = LineMasker()
    return [state(masker, 0, text) for text in texts]


def test_a_value_is_masked_wherever_it_occurs() -> None:
    masked = mask_for(["s3cret"])
    assert masked("s3cret") == "***"
    assert masked("key=s3cret, again s3crets3cret.") == "key=***, again ******."
    assert masked("nothing here") == "nothing here"


def test_values_under_four_characters_are_left_alone() -> None:
    assert mask_for(["on", "abc", ""])("turned on abc") == "turned on abc"
    assert mask_for(["abcd"])("abcd") == "***"


def test_the_longer_of_two_values_that_overlap_goes_first() -> None:
    assert mask_for(["pass", "password-1"])("password-1 pass") == "*** ***"


def test_of_values_that_overlap_nothing_is_left() -> None:
    assert mask_for(["abcdef", "defghi"])("xabcdefghix") == "x***x"


def test_characters_with_a_meaning_in_patterns_are_just_characters() -> None:
    assert mask_for(["a.c$("])("a.c$( abc$(") == "*** abc$("


def test_each_line_of_a_value_is_masked_by_itself() -> None:
    masked = mask_for(["first line\nsecond line\nx"])
    assert masked("first line") == "***"
    assert masked("before second line after x") == "before *** after x"


@given(st.text(min_size=4))
def test_escaped_forms_are_masked(value: str) -> None:
    masked = mask_for([value])
    for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, "")):
        assert form not in masked(f"<{form}>").replace("***", "")


@pytest.mark.parametrize(
    "form",
    [
        json.dumps(SECRET),
        json.dumps(json.dumps({"key": SECRET})),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, ""),
        quote_plus(SECRET),
        quote(SECRET, "")
        .replace("%2F", "%2f")
        .replace("%2B", "%2b")
        .replace("%C3%A4", "%c3%a4")
        .replace("%3D", "%3d"),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_no_piece_of_an_encoded_value_stays(form: str) -> None:
    assert mask_for([SECRET])(f"<{form}>").strip('<>"\\{key: }') == "***"


@given(st.binary(max_size=7), st.binary(max_size=7), st.sampled_from(["+/", "-_"]))
def test_a_value_in_longer_base64_is_masked_at_every_alignment(
    before: bytes, after: bytes, alphabet: str
) -> None:
    text = base64.b64encode(before + SECRET.encode() + after, altchars=alphabet.encode()).decode()
    masked = mask_for([SECRET])(text)
    assert "***" in masked
    assert len(masked) - 3 <= len(text) - (len(SECRET.encode()) * 8 // 6 - 2)


def test_a_value_split_over_two_lines_is_masked_in_both() -> None:
    masker = Masker(["correct-horse-battery"])
    for cut in range(4, 21):
        first, second = lines(
            masker, "key: correct-horse-battery"[: 5 + cut], "correct-horse-battery"[cut:]
        )
        assert (first, second) == ("key: ***", "***")


def test_of_a_value_split_behind_its_first_characters_the_rest_is_masked() -> None:
    masker = Masker(["correct-horse-battery"])
    assert lines(masker, "key: cor", "rect-horse-battery!") == ["key: cor", "***!"]
    assert lines(masker, "key: cor", "gi") == ["key: cor", "gi"]


def test_a_value_split_over_many_lines_is_masked_in_all() -> None:
    masker = Masker(["correct-horse-battery"])
    assert lines(masker, "correct", "-horse-", "", "battery ok") == ["***", "***", "", "*** ok"]


def test_base64_folded_into_lines_is_masked() -> None:
    secret = "0123456789abcdefghijklmnopqrstuvwxyz" * 3
    folded = base64.encodebytes(secret.encode()).decode().splitlines()
    assert len(folded) == 2
    assert lines(Masker([secret]), *folded) == ["***", "***"]


def test_streams_do_not_mix() -> None:
    masker, state = Masker(["correct-horse"]), LineMasker()
    assert state(masker, 0, "correct") == "***"
    assert state(masker, 1, "-horse") == "-horse"
    assert state(masker, 0, "-horse") == "***"


def test_without_secrets_text_is_returned_as_it_is() -> None:
    text = "unchanged"
    assert mask_for([])(text) is text
    assert lines(Masker([]), text)[0] is text


def test_halves_of_surrogate_pairs_do_not_hide_a_value() -> None:
    assert mask_for(["s3cret"])("\ud83d s3cret") == "? ***"


def test_lines_made_to_be_slow_are_masked_all_the_same() -> None:
    masker = Masker(["a" * 2000 + "b", "a" * 1000])
    assert lines(masker, "a" * 16_000) == ["***"]
