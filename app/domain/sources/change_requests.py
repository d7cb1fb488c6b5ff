"""Pull and merge requests, as forges keep them among a repository's refs."""

from __future__ import annotations

import re

_REQUEST = re.compile(r"(?:refs/)?((?:pull|merge-requests)/[1-9][0-9]*/(?:head|merge))\Z")


def full_ref(ref: str) -> str:
    """Write ``pull/7/head`` as ``refs/pull/7/head``; leave any other ref as it is."""
    match = _REQUEST.match(ref)
    return f"refs/{match[1]}" if match else ref


def how_to_get(ref: str) -> str:
    """Say how a request comes into a repository that lacks it; empty for any other ref."""
    if _REQUEST.match(ref) is None:
        return ""
    name = full_ref(ref)
    return (
        " Forges do not hand out requests with the branches. Fetch it into the repository first: "
        f"`git fetch origin {name}:{name}`"
    )
