"""What a repository says about a trigger: a custom one, or how one of Auth0's is to work.

# triggers/order-placed.toml: a trigger of your own
title = "Order placed"
purpose = "Check an order before it is stored."
blocking = true          # false: accepted, stored, run later
mode = "chain"           # "single" (default): at most one hook is enabled
on_error = "open"        # "closed" (default): a failure of the platform is the caller's error
timeout = "2s"           # for hooks that do not say their own
record = "masked"        # keep payloads and results, encrypted; "none" (default): neither
mask = ["email", "/user/phone"]   # members to mask: by name anywhere, or by JSON pointer
[payload]                # JSON Schema of the event
[result]                 # JSON Schema of what a hook returns

# hookledger.toml: the same for one of Auth0's points, and the optional ones switched on
[triggers.pre-user-registration]
mode = "chain"
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.domain.documents.toml_documents import TomlDocument
from app.domain.documents.values import parse_milliseconds, refuse_credentials
from app.domain.errors import Rejected
from app.domain.triggers.recording import MAX_RULES, RecordMode, wrong_with_rule
from app.domain.triggers.schemas import compile_schema

Mode = Literal["single", "chain"]
OnError = Literal["closed", "open"]

MAX_CUSTOM_TRIGGERS = 100
MAX_TEXT = 1_000
MIN_TIMEOUT_MS = 10
MAX_TIMEOUT_MS = 20_000
"""Auth0 ended a hook after 20 seconds."""

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_MAX_ID = 64
_BEHAVIOUR = ("mode", "on_error", "timeout", "record", "mask")
_CUSTOM = ("title", "purpose", "blocking", *_BEHAVIOUR, "payload", "result")


@dataclass(frozen=True, slots=True)
class TriggerDefinition:
    """One trigger as a repository wants it."""

    id: str
    custom: bool
    title: str = ""
    purpose: str = ""
    blocking: bool = True
    mode: Mode = "single"
    on_error: OnError = "closed"
    timeout_ms: int | None = None
    """Default for its hooks; None: the repository's."""
    payload: Mapping[str, Any] | None = None
    """JSON Schema of the event, for a custom trigger."""
    result: Mapping[str, Any] | None = None
    """JSON Schema of the result, for a custom trigger."""
    record: RecordMode = "none"
    mask: tuple[str, ...] = ()
    """What is masked in what is recorded, beside what always is."""

    @property
    def members(self) -> dict[str, Any]:
        """Return what an event holds of it.

        What came later is left out while it says nothing, so that the definitions of before do not
        count as changed.
        """
        members = asdict(self)
        members["mask"] = list(self.mask)
        for later, nothing in (("record", "none"), ("mask", [])):
            if members[later] == nothing:
                del members[later]
        return members

    @property
    def text(self) -> str:
        """Say it as JSON, in one way only: equal texts are equal definitions."""
        return json.dumps(self.members, sort_keys=True)

    @classmethod
    def from_members(cls, members: Mapping[str, Any]) -> TriggerDefinition:
        """Read what ``text`` says; members of a newer version are ignored."""
        known = {key: members[key] for key in cls.__dataclass_fields__ if key in members}
        return cls(**{**known, "mask": tuple(known.get("mask", ()))})


def is_trigger_id(text: str) -> bool:
    """Tell whether a custom trigger may have this id."""
    return len(text) <= _MAX_ID and _ID.match(text) is not None


def parse_definition(file: str, trigger: str, data: bytes) -> TriggerDefinition:
    """Read ``triggers/<id>.toml``; raise ``Rejected`` with every problem."""
    document = TomlDocument.parse(file, data)
    if not is_trigger_id(trigger):
        document.refuse(
            f"its name must be at most {_MAX_ID} lower-case letters and digits, joined by `-`"
        )
    document.refuse_unknown(document.members, _CUSTOM)
    refuse_credentials(document)
    definition = TriggerDefinition(
        id=trigger,
        custom=True,
        title=_text(document, "title") or trigger,
        purpose=_text(document, "purpose"),
        blocking=_blocking(document),
        mode=_mode(document, document.members),
        on_error=_on_error(document, document.members),
        timeout_ms=_timeout(document, document.members),
        record=_record(document, document.members),
        mask=_mask(document, document.members),
        payload=_schema(document, "payload"),
        result=_schema(document, "result"),
    )
    if document.problems:
        raise Rejected(f"{file} is not valid.", problems=document.problems)
    return definition


def read_behaviour(document: TomlDocument, trigger: str) -> TriggerDefinition:
    """Read ``[triggers.<id>]`` of ``hookledger.toml``; problems are added to the document."""
    members = document.table("triggers").get(trigger)
    if not isinstance(members, dict):
        document.refuse("must be a table", "triggers", trigger)
        members = {}
    at = ("triggers", trigger)
    document.refuse_unknown(members, _BEHAVIOUR, *at)
    return TriggerDefinition(
        id=trigger,
        custom=False,
        mode=_mode(document, members, *at),
        on_error=_on_error(document, members, *at),
        timeout_ms=_timeout(document, members, *at),
        record=_record(document, members, *at),
        mask=_mask(document, members, *at),
    )


def _text(document: TomlDocument, key: str) -> str:
    text = document.members.get(key, "")
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        document.refuse(f"must be a text of at most {MAX_TEXT} characters", key)
        return ""
    return text


def _blocking(document: TomlDocument) -> bool:
    blocking = document.members.get("blocking", True)
    if not isinstance(blocking, bool):
        document.refuse("must be true or false", "blocking")
        return True
    return blocking


def _mode(document: TomlDocument, members: Mapping[str, Any], *at: str) -> Mode:
    mode = members.get("mode", "single")
    if mode not in ("single", "chain"):
        document.refuse('must be "single" or "chain"', *at, "mode")
        return "single"
    return "chain" if mode == "chain" else "single"


def _on_error(document: TomlDocument, members: Mapping[str, Any], *at: str) -> OnError:
    on_error = members.get("on_error", "closed")
    if on_error not in ("closed", "open"):
        document.refuse('must be "closed" or "open"', *at, "on_error")
        return "closed"
    return "open" if on_error == "open" else "closed"


def _timeout(document: TomlDocument, members: Mapping[str, Any], *at: str) -> int | None:
    if "timeout" not in members:
        return None
    milliseconds = parse_milliseconds(members["timeout"])
    if milliseconds is None or not MIN_TIMEOUT_MS <= milliseconds <= MAX_TIMEOUT_MS:
        longest = MAX_TIMEOUT_MS // 1000
        document.refuse(
            f'must be a duration between "{MIN_TIMEOUT_MS}ms" and "{longest}s"', *at, "timeout"
        )
        return None
    return milliseconds


def _record(document: TomlDocument, members: Mapping[str, Any], *at: str) -> RecordMode:
    record = members.get("record", "none")
    if record not in ("none", "masked"):
        document.refuse('must be "none" or "masked"', *at, "record")
        return "none"
    return "masked" if record == "masked" else "none"


def _mask(document: TomlDocument, members: Mapping[str, Any], *at: str) -> tuple[str, ...]:
    rules = members.get("mask", [])
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        document.refuse(f"must be a list of at most {MAX_RULES} rules", *at, "mask")
        return ()
    for complaint in filter(None, map(wrong_with_rule, rules)):
        document.refuse(complaint, *at, "mask")
    return tuple(rule for rule in rules if isinstance(rule, str))


def _schema(document: TomlDocument, key: str) -> Mapping[str, Any] | None:
    if key not in document.members:
        return None
    schema = document.table(key)
    try:
        json.dumps(schema, allow_nan=False)
        compile_schema(schema, key)
    except Rejected as refusal:
        for problem in refusal.problems:
            document.refuse(problem.message, key)
    except (TypeError, ValueError):
        document.refuse("holds a date or a number that JSON does not have", key)
    return schema
