"""JSON Schemas of what git holds of a hook, and of commits that change it."""

from __future__ import annotations

from collections.abc import Mapping

from app.web.schemas.parts import TEXT, Schema, list_of, object_of, or_null, reference

_FILE = object_of({"path": TEXT, "content": or_null(TEXT)})
_COMMIT: Schema = {"type": "string", "pattern": "^[0-9a-f]{40}$"}

COMMIT_SCHEMAS: Mapping[str, Schema] = {
    "HookFiles": object_of(
        {
            "hook": TEXT,
            "source": TEXT,
            "commit": _COMMIT,
            "folder": TEXT,
            "files": list_of(_FILE),
        }
    ),
    "FileChanges": object_of(
        {
            "message": TEXT | {"minLength": 1, "maxLength": 2000},
            "files": list_of(_FILE)
            | {
                "minItems": 1,
                "maxItems": 100,
                "description": (
                    "Paths are relative to the folder that the source follows; `null` removes a "
                    "file."
                ),
            },
        },
        optional={
            "expected": or_null(
                _COMMIT | {"description": "The commit that the changes were made upon."}
            ),
            "source": or_null(TEXT | {"description": "Needed when there are several."}),
        },
    ),
    "Commit": object_of(
        {"commit": _COMMIT, "plan": reference("Plan"), "sync": reference("SyncResult")}
    ),
}
