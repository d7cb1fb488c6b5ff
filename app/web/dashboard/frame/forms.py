"""Reading what forms send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from app.domain.errors import Problem, Rejected
from app.web.protocol.endpoints import FORM
from app.web.protocol.limits import Headers, only

FORM_LIMIT = 1024 * 1024
"""Bytes: the largest script, of which each character may take three, and a payload."""

_MAX_FIELDS = 200


class Form:
    """The fields of one form."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._fields: Mapping[str, str] = dict(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Go through the fields in their order."""
        return iter(self._pairs)

    def __contains__(self, name: object) -> bool:
        """Tell whether a field was sent, empty or not."""
        return name in self._fields

    def text(self, name: str) -> str:
        """Return a field's text as it was written; empty if it is not there."""
        return self._fields.get(name, "")

    def word(self, name: str) -> str:
        """Return a field's text without the blanks around it."""
        return self.text(name).strip()

    def required(self, name: str, what: str) -> str:
        """Return a field's text without the blanks around it; raise ``Rejected`` if it is empty."""
        found = self.word(name)
        if not found:
            raise Rejected(f"{what} is missing.", problems=[Problem("must not be empty", key=name)])
        return found

    def checked(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return bool(self.text(name))


def read_form(headers: Headers, body: bytes) -> Form:
    """Read the body of a form; browsers end its lines with CR LF, scripts do not.

    Raises ``Rejected`` for anything else.
    """
    media = (only(headers, b"content-type") or b"").split(b";")[0].strip().lower()
    if body and media != FORM.encode():
        raise Rejected(f"A form must be sent as {FORM}.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise Rejected("The form cannot be read.") from None
    return Form([(name, value.replace("\r\n", "\n")) for name, value in pairs])
