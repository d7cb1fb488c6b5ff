"""The dashboard's cookies: the session's token, and what lives from one page to the next.

Over HTTPS their names begin with ``__Host-``, which no other host and no plain HTTP can set. Over
plain HTTP, meant for loopback, the name holds the port: cookies know no ports, and two servers on
one machine must not sign each other out.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

Kind = Literal["session", "signin", "notice"]

_NOTICE = timedelta(minutes=1)
_MAX_NOTICE = 1_000


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and writes the cookies of one request."""

    given: dict[str, str]
    secure: bool
    port: str

    @classmethod
    def of(cls, scope: Scope, *, secure: bool) -> Cookies:
        """Read the cookies; ``secure``: whether people reach the server over HTTPS."""
        headers = Headers(scope=scope)
        given = cookie_parser(headers.get("cookie", ""))
        return cls(given, secure, headers.get("host", "").rpartition("]")[2].rpartition(":")[2])

    def read(self, kind: Kind) -> str:
        """Return a cookie's value; empty if there is none."""
        return self.given.get(self._name(kind), "")

    def write(self, response: Response, kind: Kind, value: str, age: timedelta) -> None:
        """Set a cookie for so long."""
        # Lax rather than Strict: a link in a message should open the page, not the sign-in. What
        # changes something is never a GET.
        response.set_cookie(
            self._name(kind),
            value,
            max_age=int(age.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response, kind: Kind) -> None:
        """Have a cookie forgotten."""
        response.delete_cookie(
            self._name(kind), path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def leave_notice(self, response: Response, sentence: str) -> None:
        """Have the next page say something."""
        text = base64.urlsafe_b64encode(sentence[:_MAX_NOTICE].encode()).decode().rstrip("=")
        self.write(response, "notice", text, _NOTICE)

    def notice(self) -> str:
        """Return what the last page left to be said; empty if nothing."""
        text = self.read("notice")
        try:
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()[:_MAX_NOTICE]
        except (binascii.Error, ValueError):
            return ""

    def _name(self, kind: Kind) -> str:
        if self.secure:
            return f"__Host-hookledger-{kind}"
        return f"hookledger-{kind}-{self.port}" if self.port.isdigit() else f"hookledger-{kind}"
