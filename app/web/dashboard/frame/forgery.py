"""Telling a person's own requests from those that another site had their browser send.

Two independent proofs, of which each alone would do: browsers say where a request comes from
(Fetch Metadata, ``Origin``), and every form carries a token that only our pages know.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from app.domain.errors import Forbidden

FIELD = "csrf"
HEADER = "x-csrf-token"


def forgery_token(session_token: str) -> str:
    """Return what the forms of a session carry; from it the session's token cannot be told."""
    return hmac.new(session_token.encode(), b"forms of the dashboard", hashlib.sha256).hexdigest()


class ForeignForm(Forbidden):
    """A form was sent that is none of this session's."""


def require_same_site(headers: Headers) -> None:
    """Let pass what the browser says comes from our own pages; raise ``ForeignForm``."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = origin is not None and urlsplit(origin).netloc == headers.get("host", "")
    if not ours:
        raise ForeignForm(
            "This request did not come from a page of this dashboard, so nothing was done. Open "
            "the page and try again; a proxy before the server must pass the header Host on."
        )


def require_token(session_token: str, given: str) -> None:
    """Let pass what carries the token of the session's forms; raise ``ForeignForm``."""
    if not hmac.compare_digest(forgery_token(session_token).encode(), given.encode()):
        raise ForeignForm(
            "This form belongs to a session that has ended, so nothing was done. "
            "Load the page again and repeat what you did."
        )
