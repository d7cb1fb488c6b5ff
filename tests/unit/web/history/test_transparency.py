"""Checkpoints, keys, proofs and evidence over HTTP, checked as a stranger would check them."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pymerkle import verify_inclusion
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof

from app.application.history.evidence import check_evidence
from app.domain.history.checkpoints import parse_verifier_key
from app.domain.history.transparency import is_consistent
from app.vault.note_signatures import verify

JSON = [(b"accept", b"application/json")]


def decoded(encoded: str) -> bytes:
    return base64.b64decode(encoded, validate=True)


def test_a_checkpoint_is_a_note_that_the_published_key_signed(site: Any) -> None:
    note = site.get("/v1/audit/checkpoint")
    vkey = site.get("/v1/keys/checkpoint", token=None).text.strip()

    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    text, _, line = note.text.rpartition("\n\n")
    origin, size, root = text.split("\n")
    assert (origin, size, len(decoded(root))) == ("site/a-tenant", "20", 32)
    name, key_id, public = vkey.split("+", 2)
    mark, signer, signature = line.rstrip("\n").split(" ")
    assert (mark, signer, name) == ("\u2014", origin, origin)
    algorithm_and_key = decoded(public)
    assert hashlib.sha256(f"{name}\n".encode() + algorithm_and_key).hexdigest()[:8] == key_id
    assert decoded(signature)[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(algorithm_and_key[1:]).verify(
        decoded(signature)[4:], f"{text}\n".encode()
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (b"application/json", "application/json"),
        (b"text/html, application/json;q=0.9", "application/json"),
        (b"text/plain, application/json", "text/plain; charset=utf-8"),
        (b"*/*", "text/plain; charset=utf-8"),
    ],
)
def test_json_is_answered_to_those_who_ask_for_it(site: Any, accept: bytes, kind: str) -> None:
    for path in ("/v1/audit/checkpoint", "/v1/keys/checkpoint"):
        answer = site.get(path, headers=[(b"accept", accept)])
        assert answer.headers["content-type"] == kind


def test_one_checkpoint_is_made_for_each_size(site: Any) -> None:
    first = site.get("/v1/audit/checkpoint").text
    assert site.get("/v1/audit/checkpoint").text == first
    as_json = site.get("/v1/audit/checkpoint", headers=JSON).json()
    assert as_json["note"] == first
    assert len(site.proved.issued) == 1


def test_an_inclusion_proof_convinces_an_independent_library(site: Any) -> None:
    for position, size in ((1, 1), (1, 20), (7, 13), (20, 20)):
        proof = site.get(f"/v1/audit/proofs/inclusion?position={position}&size={size}").json()
        event = proof["event"]
        stream, topic = event["stream"].encode(), event["topic"].encode()
        head = struct.pack(">QQII", position, event["version"], len(stream), len(topic))
        leaf = b"hookledger-event-v1\n" + head + stream + topic + decoded(event["state_sha256"])
        leaf_hash = hashlib.sha256(b"\x00" + leaf).digest()
        assert decoded(proof["leaf"]) == leaf_hash
        rule, _ = _inclusion_path_layout(proof["index"] + 1, size)
        path = [leaf_hash, *map(decoded, proof["hashes"])]
        theirs = InclusionProof("sha256", True, size, proof["index"] + 1, rule, path)
        verify_inclusion(leaf_hash, decoded(proof["root"]), theirs)


def test_without_a_size_proofs_lead_to_the_newest_checkpoint(site: Any) -> None:
    root = site.get("/v1/audit/checkpoint", headers=JSON).json()["root"]
    assert site.get("/v1/audit/proofs/inclusion?position=3").json()["root"] == root
    assert site.get("/v1/audit/proofs/consistency?from=3").json()["to_root"] == root


def test_a_consistency_proof_shows_that_the_log_only_grew(site: Any) -> None:
    proof = site.get("/v1/audit/proofs/consistency?from=6&to=20").json()
    hashes = [decoded(each) for each in proof["hashes"]]
    assert is_consistent(6, 20, decoded(proof["from_root"]), decoded(proof["to_root"]), hashes)


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("inclusion", 400, "position"),
        ("inclusion?position=0", 400, "position"),
        ("inclusion?position=-1", 400, "position"),
        ("inclusion?position=1e3", 400, "position"),
        ("inclusion?position=21", 404, None),
        ("inclusion?position=1&size=21", 404, None),
        ("inclusion?position=15&size=10", 404, None),
        ("consistency", 400, "from"),
        ("consistency?from=1&to=x", 400, "to"),
    ],
)
def test_what_cannot_be_proved_is_a_problem(
    site: Any, path: str, status: int, key: str | None
) -> None:
    answer = site.get(f"/v1/audit/proofs/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if key is not None:
        assert answer.json()["problems"][0]["key"] == key


def test_each_route_asks_for_its_scope(site: Any) -> None:
    site.let_in("reader", "read:audit")
    site.let_in("other", "read:hooks")
    for path in ("checkpoint", "proofs/inclusion?position=1", "proofs/consistency?from=1"):
        assert site.get(f"/v1/audit/{path}", token="reader").status_code == 200
        assert site.get(f"/v1/audit/{path}", token="other").status_code == 403
    assert site.get("/v1/audit/evidence", token="reader").status_code == 403
    assert site.get("/v1/keys/checkpoint", token=None).status_code == 200


def test_evidence_is_streamed_and_checks_out(site: Any) -> None:
    answer = site.get("/v1/audit/evidence?type=hook")

    key = parse_verifier_key(site.get("/v1/keys/checkpoint").text)
    lines = answer.content.splitlines(keepends=True)
    checked = check_evidence(lines, [key], verify)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(lines[0])["query"] == {"type": "hook"}
    assert checked.events == len(lines) - 2


def test_a_contradicted_history_is_a_problem_and_nothing_is_signed(site: Any) -> None:
    site.get("/v1/audit/checkpoint")
    site.proved.events[3] = site.proved.events[4]

    answer = site.get("/v1/audit/checkpoint")

    assert answer.status_code == 503
    assert "contradicts the checkpoint of 20 events" in answer.json()["detail"]
    assert len(site.proved.issued) == 1
