"""The commits that rollbacks keep out: one rule for the aggregate and for its row."""

from __future__ import annotations

MAX_SKIPPED = 100
"""Commits that are remembered as bad; older ones are forgotten first."""


def skipped_after(before: list[str], commit: str, skipped: list[str]) -> list[str]:
    """Return what is skipped after a rollback to ``commit``, which is wanted from then on."""
    kept = [each for each in before if each not in skipped]
    return [each for each in (*kept, *skipped) if each != commit][-MAX_SKIPPED:]
