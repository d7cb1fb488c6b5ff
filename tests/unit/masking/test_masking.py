"""Secret values do not leave in what hooks write, however they are written."""

from __future__ import annotations

import base64
import html
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.masking.masks import LineMasker, Masker, mask_for

SECRET = 's3cr/et+"värde"&=~42'
AWKWARD = b"??>>~~~???>>>~~"
"""In Base64 it has both characters that addresses cannot have."""


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
        quote(base64.b64encode(AWKWARD).decode(), ""),
        quote(base64.b64encode(AWKWARD).decode()),
        quote(base64.b64encode(AWKWARD).decode(), "").replace("%2F", "%2f").replace("%2B", "%2b"),
        html.escape(SECRET),
        SECRET.encode().hex(" "),
        str(list(SECRET.encode())).strip("[]"),
        json.dumps(list(SECRET.encode()), separators=(",", ":")).strip("[]"),
    ],
)
def test_no_piece_of_an_encoded_value_stays(form: str) -> None:
    masked = mask_for([SECRET, AWKWARD.decode()])
    assert masked(f"<{form}>").strip('<>"\\{key: }%3D=').removesuffix("%3d") == "***"


def test_a_buffer_that_is_printed_in_part_is_masked() -> None:
    """`console.log(Buffer)` shows the first 50 bytes of it."""
    secret = "0123456789abcdefghijklmnopqrstuvwxyz" * 2
    shown = f"<Buffer {secret.encode()[:50].hex(' ')} ... 22 more bytes>"
    assert mask_for([secret])(shown) == "<Buffer *** ... 22 more bytes>"


def test_a_line_of_a_value_is_masked_in_every_form_too() -> None:
    key = '-----BEGIN "KEY"-----\n0a?>b/c+d\u00e4efghijklm\n-----END "KEY"-----'
    masked = mask_for([key])
    line = key.splitlines()[1]
    for form in (
        json.dumps(line).strip('"'),
        quote(line, ""),
        base64.b64encode(line.encode()).decode(),
        line.encode().hex(),
    ):
        assert masked(f"<{form}>").replace("=", "") == "<***>"


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


@pytest.mark.parametrize("end", ["", "\r", " ", "\t"])
@pytest.mark.parametrize("indent", ["", " ", "    ", "\t"])
def test_a_value_that_is_folded_and_indented_is_masked_in_every_line(end: str, indent: str) -> None:
    """As mail folds Base64 (with carriage returns), YAML and pretty-printers indent it."""
    secret = "0123456789abcdefghijklmnopqrstuvwxyz" * 4
    for whole in (secret, base64.b64encode(secret.encode()).decode()):
        folded = [f"{indent}{whole[at : at + 60]}{end}" for at in range(0, len(whole), 60)]
        assert lines(Masker([secret]), *folded) == [f"{indent}***{end}"] * len(folded)


def test_a_value_of_words_is_masked_when_it_is_wrapped_between_them() -> None:
    secret = "correct horse battery staple of the winter"
    for width in range(8, len(secret)):
        for indent in ("", "  "):
            wrapped = textwrap.wrap(secret, width, initial_indent=indent, subsequent_indent=indent)
            shown = " ".join(lines(Masker([secret]), *wrapped))
            assert not [word for word in secret.split() if len(word) > 3 and word in shown], wrapped


@given(st.text(min_size=4), st.data())
def test_wherever_a_line_ends_in_a_value_the_rest_goes(value: str, data: st.DataObject) -> None:
    """Cut behind four characters or more, neither piece is to be seen."""
    value = " ".join(value.split())
    if len(value) < 9:
        return
    cut = data.draw(st.integers(4, len(value) - 4))
    first, second = value[:cut], value[cut:]
    shown = lines(Masker([value]), f"a: {first}", second)
    assert shown[0].replace("***", "").strip() in ("a:", "a") or first.strip() not in shown[0]
    assert shown[1].strip() == "***"


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


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.swapcase])
def test_a_value_is_masked_in_upper_and_lower_case(change: Callable[[str], str]) -> None:
    for value in (
        "Correct-Horse",
        "0123abcdef4567",
        "Größe und Würde",
        "ΟΔΟΣ-Οδός",
        "İstanbul-\u0131",
    ):
        if len(change(value)) == len(value):
            assert mask_for([value])(f"<{change(value)}>") == "<***>"
    assert mask_for(["İİİİ-key"])("İ İİİİ-key İ") == "İ *** İ"


PUNCTUATED = "a'b\"!c*d(e)f~g h/i+j:k=l@m,n;o$p&q?r[s]t<u>\\v|w^x`y{z}ä"
"""Everything that some rule escapes and another does not."""


@pytest.mark.parametrize(
    "form",
    [
        # JavaScript: encodeURIComponent, encodeURI, URLSearchParams
        "a'b%22!c*d(e)f~g%20h%2Fi%2Bj%3Ak%3Dl%40m%2Cn%3Bo%24p%26q%3Fr%5Bs%5Dt%3Cu%3E%5Cv%7Cw%5Ex%60y%7Bz%7D%C3%A4",
        "a'b%22!c*d(e)f~g%20h/i+j:k=l@m,n;o$p&q?r%5Bs%5Dt%3Cu%3E%5Cv%7Cw%5Ex%60y%7Bz%7D%C3%A4",
        "a%27b%22%21c*d%28e%29f%7Eg+h%2Fi%2Bj%3Ak%3Dl%40m%2Cn%3Bo%24p%26q%3Fr%5Bs%5Dt%3Cu%3E%5Cv%7Cw%5Ex%60y%7Bz%7D%C3%A4",
        # URL: password, query (of http), hash
        "a'b%22!c*d(e)f~g%20h%2Fi+j%3Ak%3Dl%40m,n%3Bo$p&q%3Fr%5Bs%5Dt%3Cu%3E%5Cv%7Cw%5Ex%60y%7Bz%7D%C3%A4",
        "a%27b%22!c*d(e)f~g%20h/i+j:k=l@m,n;o$p&q?r[s]t%3Cu%3E\\v|w^x`y{z}%C3%A4",
        "a'b%22!c*d(e)f~g%20h/i+j:k=l@m,n;o$p&q?r[s]t%3Cu%3E\\v|w^x%60y{z}%C3%A4",
        quote(PUNCTUATED),
        quote_plus(PUNCTUATED),
        # HTML: of Python, without quotation marks, of MarkupSafe, of lodash, of XML
        html.escape(PUNCTUATED),
        html.escape(PUNCTUATED, quote=False),
        html.escape(PUNCTUATED).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        html.escape(PUNCTUATED).replace("&#x27;", "&#39;"),
        html.escape(PUNCTUATED).replace("&#x27;", "&apos;"),
        # Python: text, text beside an apostrophe, ASCII, bytes, traceback of bytes
        repr(PUNCTUATED)[1:-1],
        repr(PUNCTUATED.replace('"', ""))[1:-1].replace("b", 'b"', 1),
        ascii(PUNCTUATED)[1:-1],
        repr(PUNCTUATED.encode())[2:-1],
        # JavaScript: in backticks, in JSON that may stand in a page, with escaped slashes
        PUNCTUATED.replace("\\", "\\\\"),
        json.dumps(PUNCTUATED, ensure_ascii=False)[1:-1]
        .replace("<", "\\u003C")
        .replace(">", "\\u003E")
        .replace("&", "\\u0026")
        .replace("'", "\\u0027")
        .replace("/", "\\u002F")
        .replace("=", "\\u003D"),
        json.dumps(PUNCTUATED)[1:-1].replace("/", "\\/"),
        # byte by byte
        PUNCTUATED.encode().hex(":"),
        PUNCTUATED.encode().hex("-").upper(),
        "%" + PUNCTUATED.encode().hex("%").upper(),
        "\\x" + PUNCTUATED.encode().hex(" ").replace(" ", "\\x"),
    ],
)
def test_no_rule_of_escaping_hides_a_value(form: str) -> None:
    masked = mask_for([PUNCTUATED])(f"<{form}>")
    assert masked.replace("\\x", "").replace("%", "") == "<***>"


def test_blanks_around_a_value_do_not_protect_it_from_being_masked() -> None:
    masked = mask_for([" s3cret-key \n  indented-key  \n"])
    assert masked("<s3cret-key> <indented-key>") == "<***> <***>"


def test_bytes_in_columns_are_masked() -> None:
    """As Node.js shows a list of more than six numbers."""
    secret = b"correct-horse-battery"
    shown = """Uint8Array(21) [
   99, 111, 114, 114, 101,  99,
  116,  45, 104, 111, 114, 115,
  101,  45,  98,  97, 116, 116,
  101, 114, 121
]""".splitlines()
    masked = lines(Masker([secret.decode()]), *shown)
    assert masked == [shown[0], "   ***", "  ***", "  ***", "  ***", "]"]
    assert lines(Masker([secret.decode()]), "list: [ 1, 99, 2,  3 ]") == ["list: [ 1, 99, 2,  3 ]"]
    assert mask_for([secret.decode()])(str([7, 8, *secret, 9])) == "[7, 8, ***, 9]"
