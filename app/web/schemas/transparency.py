"""JSON Schemas of checkpoints, proofs and evidence."""

from __future__ import annotations

from collections.abc import Mapping

from app.application.history.verify_history import Verdict
from app.web.schemas.parts import (
    COUNT,
    OBJECT,
    POSITION,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
)

_HASH: Schema = TEXT | {"contentEncoding": "base64", "description": "32 bytes (SHA-256)."}
_SIZE: Schema = COUNT | {"description": "Number of leaves."}

TRANSPARENCY_SCHEMAS: Mapping[str, Schema] = {
    "Checkpoint": object_of(
        {
            "origin": TEXT | {"description": "Name of the log."},
            "size": _SIZE,
            "root": _HASH,
            "note": TEXT | {"description": "The signed note, as `text/plain` answers it."},
            "key": TEXT | {"description": "The verifier key, `name+hash+base64`."},
            "made_at": TIME,
        }
    ),
    "CheckpointKeys": object_of({"keys": list_of(TEXT)}),
    "InclusionProof": object_of(
        {
            "position": POSITION,
            "index": COUNT | {"description": "Number of the leaf, from 0."},
            "size": _SIZE,
            "event": object_of(
                {"stream": TEXT, "version": COUNT, "topic": TEXT, "state_sha256": _HASH}
            ),
            "leaf": _HASH,
            "hashes": list_of(_HASH),
            "root": _HASH,
        }
    ),
    "ConsistencyProof": object_of(
        {
            "from": _SIZE,
            "to": _SIZE,
            "from_root": _HASH,
            "to_root": _HASH,
            "hashes": list_of(_HASH),
        }
    ),
    "VerificationRun": object_of(
        {
            "actor": TEXT | {"description": "Who began it."},
            "begun_at": TIME,
            "ended_at": or_null(TIME),
            "done": COUNT | {"description": "Events verified so far."},
            "total": COUNT | {"description": "Events there are."},
            "failure": or_null(TEXT | {"description": "Why it could not be found out."}),
            "outcome": or_null(
                object_of(
                    {
                        "verdict": {"enum": [str(verdict) for verdict in Verdict]},
                        "events": COUNT,
                        "tree_size": or_null(_SIZE),
                        "first_bad_position": or_null(POSITION),
                        "agreeing_checkpoints": COUNT,
                        "signed_size": or_null(
                            COUNT | {"description": "Events that the newest agreeing one covers."}
                        ),
                        "messages": list_of(TEXT),
                        "warnings": list_of(TEXT),
                    }
                )
            ),
        }
    ),
    "EvidenceLine": OBJECT | {"description": "The head, an event with its proof, or the end."},
}
"""By name."""
