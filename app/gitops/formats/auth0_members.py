"""Members of what describes a hook, read one by one; what is wrong with them is collected.

What a keyword stands for is never shown: it may be a secret.
"""

from __future__ import annotations

import difflib
from typing import Any

from app.domain.documents.values import is_network_address, parse_milliseconds
from app.domain.errors import Problem
from app.domain.manifests.manifest import MAX_NETWORK_ENTRIES, MAX_ORDER
from app.domain.triggers.definitions import MAX_TIMEOUT_MS, MIN_TIMEOUT_MS
from app.gitops.formats.auth0_items import HookItem
from app.gitops.formats.keywords import Keywords, Unresolved, is_marked


class Members:
    """One item's members, with their markers resolved."""

    def __init__(self, item: HookItem, keywords: Keywords) -> None:
        self._item = item
        self._keywords = keywords
        self.problems: list[Problem] = []

    def refuse(self, message: str, *path: str | int) -> None:
        self.problems.append(self._item.problem(message, *path))

    def refuse_unknown(self, known: tuple[str, ...]) -> None:
        for key in self._item.members:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                meant = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
                self.refuse(f"unknown member; {meant}", key)

    def value(self, key: str, default: Any = None) -> Any:
        """Return a member with its markers resolved; the default also where they cannot be."""
        try:
            return self._keywords.resolve(self._item.members.get(key, default))
        except Unresolved as missing:
            self.refuse(str(missing), key)
            return default

    def text(self, key: str) -> str:
        before = len(self.problems)
        value = self.value(key)
        if len(self.problems) > before:
            return ""
        if not isinstance(value, str) or not value or not is_encodable(value):
            self.refuse("must be a text, and must be given", key)
            return ""
        return str(value)

    def flag(self, key: str) -> bool:
        value = self.value(key, default=False)
        raw = self._item.members.get(key)
        if isinstance(raw, str) and is_marked(raw) and isinstance(value, str):
            value = {"true": True, "false": False}.get(value, value)
        if not isinstance(value, bool):
            self.refuse("must be true or false", key)
            return False
        return value

    def timeout(self) -> int:
        if "timeout" not in self._item.members:
            return MAX_TIMEOUT_MS
        milliseconds = parse_milliseconds(self.value("timeout"))
        if milliseconds is None or not MIN_TIMEOUT_MS <= milliseconds <= MAX_TIMEOUT_MS:
            longest = f"{MAX_TIMEOUT_MS // 1000}s"
            self.refuse(f'must be a duration from "{MIN_TIMEOUT_MS}ms" to "{longest}"', "timeout")
            return MAX_TIMEOUT_MS
        return milliseconds

    def order(self) -> int:
        value = self.value("order", 0)
        try:
            order = int(value) if isinstance(value, str) else value
        except ValueError:
            order = None
        if not isinstance(order, int) or isinstance(order, bool) or abs(order) > MAX_ORDER:
            self.refuse(f"must be a whole number from -{MAX_ORDER} to {MAX_ORDER}", "order")
            return 0
        return order

    def network(self) -> list[str]:
        entries = self.value("network", [])
        if not isinstance(entries, list) or len(entries) > MAX_NETWORK_ENTRIES:
            most = MAX_NETWORK_ENTRIES
            self.refuse(f"must be a list of at most {most} `host:port`", "network")
            return []
        for index, entry in enumerate(entries):
            if not is_network_address(entry):
                self.refuse('must be `host:port`, e.g. "api.example.com:443"', "network", index)
            elif entry in entries[:index]:
                self.refuse("is listed twice", "network", index)
        return entries


def is_encodable(text: str) -> bool:
    """Tell whether UTF-8 has it: JSON can write half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
