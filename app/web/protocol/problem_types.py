"""The types of problems that callers may rely on: one table, by slug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.errors import HookledgerError
from app.domain.outcomes import OutcomeKind


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem, as callers may rely on it."""

    slug: str
    title: str
    status: int
    remedy: str
    """What whoever gets it can do."""

    @property
    def uri(self) -> str:
        """The stable reference; the server explains it at this path."""
        return f"/problems/{self.slug}"


_CORRECT_HOOK = "Read `logs` and the hook's script; correct the hook in a commit."

PROBLEM_TYPES: Mapping[str, ProblemType] = {
    kind.slug: kind
    for kind in (
        ProblemType(
            "rejected",
            "The request is not valid",
            400,
            "Correct what `detail` and `problems` name, and send the request again.",
        ),
        ProblemType(
            "unauthenticated",
            "The caller is not known",
            401,
            "Send `Authorization: Bearer <access token>` once, with a token that "
            "`hookledger clients create` printed and nobody has revoked. A webhook is signed with "
            "a secret that the settings name.",
        ),
        ProblemType(
            "forbidden",
            "The caller may not do this",
            403,
            "Use a client that has the scope named in `detail`; "
            "`hookledger clients create NAME --scope SCOPE` makes one.",
        ),
        ProblemType(
            "not-found",
            "There is no such thing",
            404,
            "Check the path, the name and the id; `GET /openapi.json` lists every route.",
        ),
        ProblemType(
            "method-not-allowed",
            "The path does not know this method",
            405,
            "Use one of the methods in the header `Allow`.",
        ),
        ProblemType(
            "conflict",
            "The request contradicts the present state",
            409,
            "Read the present state, and decide again on it.",
        ),
        ProblemType(
            "idempotency-key-in-use",
            "The first request with this key is under way",
            409,
            "Send the request again after the seconds in the header `Retry-After`.",
        ),
        ProblemType(
            "too-slow",
            "The request did not arrive in time",
            408,
            "Send head and body without pauses; the connection was closed.",
        ),
        ProblemType("too-large", "The body is too large", 413, "Send a smaller body."),
        ProblemType(
            "revision-rejected",
            "The commit cannot be applied",
            422,
            "Correct every entry of `problems` in a new commit; "
            "what was in force before stays in force.",
        ),
        ProblemType(
            "idempotency-key-reused",
            "The idempotency key belongs to another request",
            422,
            "Take a new `Idempotency-Key` for each request, and the same for its repetitions only.",
        ),
        ProblemType(
            "too-many-requests",
            "The rate limit is reached",
            429,
            "Try again after the seconds in the header `Retry-After`; "
            "`X-RateLimit-Remaining` tells beforehand.",
        ),
        ProblemType(
            "error",
            "The server could not do it",
            500,
            "Tell an operator what `detail` says.",
        ),
        ProblemType(
            "internal",
            "The server met an error it did not expect",
            500,
            "Try again; if it stays, give an operator the `correlation_id`, "
            "by which the server's log tells the cause.",
        ),
        ProblemType(
            "crashed",
            "The hook's process ended without an answer",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "out-of-memory",
            "The hook used more memory than it may",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "violated",
            "The hook's process broke the protocol",
            502,
            _CORRECT_HOOK,
        ),
        ProblemType(
            "stalled",
            "A person must act first",
            503,
            "An operator must do what `detail` says; trying again alone does not help.",
        ),
        ProblemType(
            "transient",
            "The server cannot do it just now",
            503,
            "Try again after the seconds in the header `Retry-After`.",
        ),
        ProblemType(
            "overloaded",
            "No worker was free in time",
            503,
            "Try again after the seconds in the header `Retry-After`; the hook did not start. "
            "If it happens often, raise `max_workers` or make the hook faster.",
        ),
        ProblemType(
            "timed-out",
            "The hook did not answer before its deadline",
            504,
            "Make the hook faster, or raise `timeout` in its `hook.toml`; "
            "what it did until then may have had effects elsewhere.",
        ),
    )
}
"""Every type a problem may have, by slug."""

FAILURES: Mapping[OutcomeKind, ProblemType] = {
    kind: PROBLEM_TYPES[kind.value.replace("_", "-")] for kind in OutcomeKind if not kind.is_answer
}
"""The platform's failures of an invocation."""


def type_of(error: HookledgerError) -> ProblemType:
    """Return the type of the error's class, or of the nearest class above that has one."""
    slugs = (str(vars(parent).get("slug")) for parent in type(error).__mro__)
    return next(PROBLEM_TYPES[slug] for slug in slugs if slug in PROBLEM_TYPES)
