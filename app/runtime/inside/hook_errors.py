"""The module ``hookledger`` that hooks import, and what an error of a hook looks like outside.

Classes, members and texts: auth0-ext-compilers 6.1.0, ``lib/errors`` and ``lib/adapter.js``. An
error is told by all its own members; ``name`` is one of them only where a class sets it, so callers
can tell Auth0's classes from any other error.
"""

from __future__ import annotations

import json
import linecache
import traceback
from types import ModuleType, TracebackType
from typing import Any

from app.runtime.inside.http_errors import HttpError, NetworkDenied, RateLimited
from app.runtime.inside.json_codec import encode_plainly

STACK_CHARACTERS = 16_384
"""Longer stacks are cut in the middle."""

UNSERIALISABLE_RESULT = "Error when JSON serializing the result of the extension point"


class ExtensibilityUserError(Exception):
    """An error that a hook raises for its caller to understand."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.name = type(self).__name__


class PreUserRegistrationError(ExtensibilityUserError):
    """Refuses a sign-up; the second text is for the person who signs up."""

    def __init__(self, message: str = "", user_message: str | None = None) -> None:
        super().__init__(message)
        self.friendlyMessage = message if user_message is None else user_message


class SendPhoneMessageError(PreUserRegistrationError):
    """A message was not delivered."""


class InvalidScopeError(ExtensibilityUserError):
    """The token request asks for a scope it may not have (``invalid_scope``)."""


class InvalidRequestError(ExtensibilityUserError):
    """The token request is malformed (``invalid_request``)."""


class ServerError(ExtensibilityUserError):
    """The token cannot be issued now (``server_error``)."""


def hookledger_module() -> ModuleType:
    """Return the module that ``import hookledger`` finds inside a worker."""
    module = ModuleType("hookledger", "What hooks may import: classes of errors.")
    for error_class in (
        ExtensibilityUserError,
        PreUserRegistrationError,
        SendPhoneMessageError,
        InvalidScopeError,
        InvalidRequestError,
        ServerError,
        HttpError,
        NetworkDenied,
        RateLimited,
    ):
        error_class.__module__ = "hookledger"
        setattr(module, error_class.__name__, error_class)
    return module


def describe(error: BaseException, file: str) -> bytes:
    """Write an error as a JSON object; ``file`` is the script, whose frames the stack starts at."""
    members: dict[str, Any] = {"message": _message(error), "stack": _stack(error, file)}
    for key, value in getattr(error, "__dict__", {}).items():
        if isinstance(key, str) and not key.startswith("_"):
            members[key] = _plain(value)
    return _written(members)


def describe_unserialisable(error: BaseException) -> bytes:
    """Write the error of a result that is not JSON."""
    return _written({"message": UNSERIALISABLE_RESULT, "error_description": _message(error)})


def remember_source(file: str, script: str) -> None:
    """Let stacks show lines of a script that is in no file."""
    lines = [line + "\n" for line in script.splitlines()]
    linecache.cache[file] = (len(script), None, lines, file)


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The hook called sys.exit({error.code!r}); a hook ends by returning or by raising."
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 (a class of the hook's may fail in any way)
        return f"{type(error).__name__} (its text could not be made)"


def _stack(error: BaseException, file: str) -> str:
    try:
        frames = _from_script(error.__traceback__, file)
        text = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
    except Exception:  # noqa: BLE001 (see _message)
        return type(error).__name__
    if len(text) > STACK_CHARACTERS:
        half = STACK_CHARACTERS // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    return text


def _from_script(frames: TracebackType | None, file: str) -> TracebackType | None:
    """Skip the frames of ours that called the script; all of them if it was never entered."""
    while frames is not None and frames.tb_frame.f_code.co_filename != file:
        frames = frames.tb_next
    return frames


def _plain(value: object) -> object:
    try:
        encode_plainly(value)
    except Exception:  # noqa: BLE001 (see _message)
        try:
            return str(value)
        except Exception:  # noqa: BLE001
            return type(value).__name__
    return value


def _written(members: dict[str, Any]) -> bytes:
    # Text of an error may hold what is no Unicode, such as the name of a file.
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "replace")
