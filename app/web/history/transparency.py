"""Tamper evidence over HTTP: checkpoints, the keys that verify them, proofs and evidence.

Proofs come from RFC 6962, checkpoints and keys from C2SP (``tlog-checkpoint``, ``signed-note``), so
that none of our code is needed to check them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from functools import partial

import anyio.to_thread
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from app.application.history.evidence import evidence
from app.application.views import AuditQuery
from app.domain.history.checkpoints import base64_of
from app.domain.history.transparency import state_digest
from app.domain.revisions import Position
from app.web.history.events import FILTERS
from app.web.protocol.endpoints import (
    JSON,
    NDJSON,
    Answered,
    Endpoint,
    Inquiry,
    Operation,
    json_answer,
)
from app.web.protocol.parameters import Parameter, flag, whole_number

TEXT = "text/plain"


async def show_checkpoint(inquiry: Inquiry) -> Response:
    """Answer a checkpoint of everything there is, as a note, or as JSON if that is asked for."""
    issued = await inquiry.services.read(inquiry.services.prover.checkpoint)
    signed = issued.signed
    if not _wants_json(inquiry.accept):
        return PlainTextResponse(signed.note)
    return json_answer(
        {
            "origin": signed.checkpoint.origin,
            "size": signed.checkpoint.size,
            "root": base64_of(signed.checkpoint.root),
            "note": signed.note,
            "key": str(signed.key),
            "made_at": issued.made_at,
        }
    )


async def show_keys(inquiry: Inquiry) -> Response:
    """Answer the verifier keys, one a line, the one that signs now first."""
    keys = await inquiry.services.read(inquiry.services.prover.verifier_keys)
    if _wants_json(inquiry.accept):
        return json_answer({"keys": [str(key) for key in keys]})
    return PlainTextResponse("".join(f"{key}\n" for key in keys))


async def prove_inclusion(inquiry: Inquiry) -> Response:
    """Prove that an event is in the tree."""
    position, size = Position(inquiry.values["position"]), inquiry.values["size"]
    event, proof = await inquiry.services.read(
        partial(inquiry.services.prover.inclusion, position, size)
    )
    return json_answer(
        {
            "position": proof.position,
            "index": proof.index,
            "size": proof.size,
            "event": {
                "stream": event.stream,
                "version": event.version,
                "topic": event.topic,
                "state_sha256": base64_of(state_digest(event.state)),
            },
            "leaf": base64_of(proof.leaf),
            "hashes": [base64_of(each) for each in proof.hashes],
            "root": base64_of(proof.root),
        }
    )


async def prove_consistency(inquiry: Inquiry) -> Response:
    """Prove that the log only grew."""
    old, new = inquiry.values["from"], inquiry.values["to"]
    proof = await inquiry.services.read(partial(inquiry.services.prover.consistency, old, new))
    return json_answer(
        {
            "from": proof.old_size,
            "to": proof.new_size,
            "from_root": base64_of(proof.old_root),
            "to_root": base64_of(proof.new_root),
            "hashes": [base64_of(each) for each in proof.hashes],
        }
    )


async def export_evidence(inquiry: Inquiry) -> Response:
    """Stream a bundle; its head comes before the headers, so that it may yet fail."""
    services, values = inquiry.services, dict(inquiry.values)
    withhold = not values.pop("sensitive")
    pieces = evidence(services.prover, services.audit, AuditQuery(**values), withhold=withhold)
    head = await services.read(partial(next, pieces))
    inquiry.note("exported", "audit format:evidence")

    async def rest() -> AsyncIterator[bytes]:
        yield head
        while piece := await anyio.to_thread.run_sync(next, pieces, b""):
            yield piece

    disposition = 'attachment; filename="hookledger-evidence.ndjson"'
    return StreamingResponse(
        rest(), headers={"content-disposition": disposition}, media_type=NDJSON
    )


def _wants_json(accept: str) -> bool:
    types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return JSON in types and not {TEXT, "text/*"} & set(types[: types.index(JSON)])


def _proof(
    operation: str, path: str, summary: str, description: str, parameters: tuple[Parameter, ...]
) -> Operation:
    schema = "InclusionProof" if path.endswith("inclusion") else "ConsistencyProof"
    return Operation(
        id=operation,
        method="GET",
        path=path,
        summary=summary,
        description=description,
        group="Audit",
        scope="read:audit",
        parameters=parameters,
        answers={200: Answered("The proof.", {JSON: schema})},
        problems=("not-found", "stalled"),
    )


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showCheckpoint",
            method="GET",
            path="/v1/audit/checkpoint",
            summary="Show a signed checkpoint of the history",
            description=(
                "A signed note (C2SP tlog-checkpoint): name of the log, number of events, root of "
                "their Merkle tree, signature. Covers everything; one is made if the log has grown."
            ),
            group="Audit",
            scope="read:audit",
            answers={200: Answered("The checkpoint.", {TEXT: "Text", JSON: "Checkpoint"})},
            problems=("stalled",),
        ),
        show_checkpoint,
    ),
    Endpoint(
        Operation(
            id="showCheckpointKeys",
            method="GET",
            path="/v1/keys/checkpoint",
            summary="Show the keys that verify checkpoints",
            description="As `name+hash+base64`, the one that signs now first.",
            group="Audit",
            scope=None,
            answers={200: Answered("The keys.", {TEXT: "Text", JSON: "CheckpointKeys"})},
        ),
        show_keys,
    ),
    Endpoint(
        _proof(
            "proveInclusion",
            "/v1/audit/proofs/inclusion",
            "Prove that an event is in the history",
            "An audit path of RFC 6962, section 2.1.1.",
            (
                whole_number("position", "Position of the event.", required=True),
                whole_number("size", "Number of leaves; default: the newest checkpoint's."),
            ),
        ),
        prove_inclusion,
    ),
    Endpoint(
        _proof(
            "proveConsistency",
            "/v1/audit/proofs/consistency",
            "Prove that the history only grew",
            "A consistency proof of RFC 6962, section 2.1.2.",
            (
                whole_number("from", "Size of the earlier tree.", required=True),
                whole_number("to", "Size of the later tree; default: the newest checkpoint's."),
            ),
        ),
        prove_consistency,
    ),
    Endpoint(
        Operation(
            id="exportEvidence",
            method="GET",
            path="/v1/audit/evidence",
            summary="Export events as they are stored, with proofs",
            description=(
                "A bundle that `hookledger audit verify-bundle` checks offline. Holds scripts; "
                "events with ciphertexts or hashes of credentials are proved without their content "
                "unless `sensitive=true`."
            ),
            group="Audit",
            scope="export:audit",
            parameters=(
                *FILTERS,
                dataclasses.replace(
                    flag("sensitive", "Whether to include the content of every event."),
                    default=False,
                ),
            ),
            answers={
                200: Answered("The bundle.", {NDJSON: "EvidenceLine"}, ("Content-Disposition",))
            },
            problems=("stalled",),
        ),
        export_evidence,
    ),
)
