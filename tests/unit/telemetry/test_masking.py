"""Secret values do not leave in what hooks write."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from app.telemetry import mask_for


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


def test_characters_with_a_meaning_in_patterns_are_just_characters() -> None:
    assert mask_for(["a.c$("])("a.c$( abc$(") == "*** abc$("


def test_each_line_of_a_value_is_masked_by_itself() -> None:
    masked = mask_for(["first line\nsecond line\nx"])
    assert masked("first line") == "***"
    assert masked("before second line after x") == "before *** after x"


@given(st.text(min_size=4))
def test_escaped_forms_are_masked(value: str) -> None:
    masked = mask_for([value])
    for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1]):
        assert masked(f"<{form}>") == "<***>"


def test_without_secrets_text_is_returned_as_it_is() -> None:
    text = "unchanged"
    assert mask_for([])(text) is text
