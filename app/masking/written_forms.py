"""How programs write a value: what to look for where it must not be.

As JSON, Python, JavaScript and HTML escape it, percent-encoded by any of the rules for addresses,
in hexadecimal, in Base64 of either alphabet at any alignment, and byte by byte. Case is left to
those who look: hexadecimal digits are in lower case here. What disguises a value, say by reversing
it or by writing its characters apart, is no form of it.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote
from xml.sax.saxutils import escape

SHORTEST_MASKED = 4
"""Characters of a value; shorter ones occur in ordinary text all the time."""
SHORTEST_ENCODED = 6

_SHOWN_OF_A_BUFFER = 50
_LONGEST_LISTED = 512
"""Bytes; these forms are the longest, and long forms take long to prepare for."""
_URL_SAFE = str.maketrans("+/", "-_")

_UNRESERVED = (
    "",  # Python's `quote_plus`, and RFC 3986 taken strictly
    "/",  # Python's `quote`
    "!*'()",  # JavaScript's `encodeURIComponent`
    ";,/?:@&=+$#!*'()",  # `encodeURI`
    "*",  # HTML forms and `URLSearchParams`
    "!$%&'()*+,",  # the password of a `URL`
    "!$%&'()*+,/:;=@[]^|",  # its path
    "!$%&()*+,/:;=?@[\\]^`{|}",  # its query
    "!$%&'()*+,/:;=?@[\\]^{|}",  # its fragment, and the query of an address that is no HTTP
    "!$&'()*+,;=:@",  # a part of a path as RFC 3986 has it
    "!$&'()*+,;=:@/?",  # its query
)
"""What stays as it is when something is percent-encoded, beside letters, digits, `_`, `.`, `-`."""


def written_forms(value: str) -> Iterator[str]:
    """Yield what stands for ``value`` and for each of its lines, many of them more than once."""
    for part in {each.strip() for each in (value, *value.splitlines())} | {value}:
        if len(part) < SHORTEST_MASKED:
            continue
        for form in (part, *_escaped(part), *_percent_encoded(part)):
            if len(form) >= SHORTEST_MASKED:
                yield form
        for form in _encoded(part.encode("utf-8", "surrogatepass")):
            if len(form) >= SHORTEST_ENCODED:
                yield form
    if len(value) >= SHORTEST_MASKED:
        yield from _byte_by_byte(value.encode("utf-8", "surrogatepass"))


def _escaped(value: str) -> Iterator[str]:
    for written in _quoted(value):
        yield written
        yield json.dumps(written)[1:-1]  # JSON in JSON, as loggers nest it
    minimal = escape(value)
    yield minimal
    for quotation_mark in ("&quot;", "&#34;"):
        for apostrophe in ("&#x27;", "&#39;", "&apos;", "'"):
            yield minimal.replace('"', quotation_mark).replace("'", apostrophe)
    yield html.escape(json.dumps(value)[1:-1])


def _quoted(value: str) -> Iterator[str]:
    """Write a value as it stands between quotation marks of whichever kind."""
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        plain = written[1:-1]
        yield plain
        yield plain.replace("/", "\\/")
        yield "".join(_SAFE_IN_PAGES.get(character, character) for character in plain)
        yield plain.replace('\\"', '"')
    data = value.encode("utf-8", "surrogatepass")
    for written in (repr(value + _BOTH), ascii(value + _BOTH), repr(data + _BOTH.encode())[1:]):
        between = written[1 : -len(repr(_BOTH)) + 1]
        yield between
        yield between.replace("\\'", "'")


_BOTH = "'\""
"""Has Python take the same quotation marks for all values, and escape them within."""
_SAFE_IN_PAGES = {each: f"\\u{ord(each):04x}" for each in "<>&'/=\u2028\u2029"}


def _percent_encoded(value: str) -> Iterator[str]:
    for unreserved in _UNRESERVED:
        written = quote(value, unreserved, errors="surrogatepass")
        for form in (written, written.replace("~", "%7E")):
            yield form
            yield form.replace("%20", "+")


def _encoded(data: bytes) -> Iterator[str]:
    yield data.hex()
    for before in range(3):
        # Only the characters that no neighbouring byte has a part in: 6 bits each.
        text = base64.b64encode(b"\0" * before + data).decode()
        inner = text[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        whole = (text, text.rstrip("=")) if before == 0 else ()
        for form in (inner, *whole):
            yield form
            yield form.translate(_URL_SAFE)
            if "+" in form or "/" in form:
                yield quote(form, "")
                yield quote(form)


def _byte_by_byte(data: bytes) -> Iterator[str]:
    """Write bytes as Node.js shows a buffer (the first 50), as lists, and each one escaped."""
    yield data[:_SHOWN_OF_A_BUFFER].hex(" ")
    if len(data) <= _LONGEST_LISTED:
        for separator in (" ", ":", "-", "%"):
            yield data.hex(separator)
        yield data.hex(" ").replace(" ", "\\x")
        yield ",".join(map(str, data))  # blanks behind the commas are left to those who look
