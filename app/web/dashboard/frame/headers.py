"""What every page tells the browser to refuse.

Nothing comes from another host, no script stands in a page, and no other site may frame one. Styles
need a nonce because CodeMirror writes its own into a ``<style>``.
"""

from __future__ import annotations

from starlette.responses import Response


def security_policy(nonce: str) -> str:
    """Return the Content-Security-Policy of one page."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def protect(response: Response, nonce: str) -> None:
    """Add the headers of a page."""
    response.headers["content-security-policy"] = security_policy(nonce)
    response.headers["referrer-policy"] = "same-origin"
    response.headers["x-frame-options"] = "DENY"
    response.headers["cross-origin-opener-policy"] = "same-origin"
    response.headers["cross-origin-resource-policy"] = "same-origin"
    response.headers["permissions-policy"] = (
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    )
