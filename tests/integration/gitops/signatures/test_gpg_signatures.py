"""Commits signed by GPG keys: known is not trusted, and expired or revoked is neither."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Rejected, Stalled

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="GPG signatures need gpg")

COMMITTER = "grace@example.com"


def signed(workshop: Any, keyring: Any, fingerprint: str, *options: str) -> Any:
    workshop.commit()
    unsigned = workshop.raw("main")
    signature = keyring.sign(unsigned, fingerprint, *options)
    return workshop.store(workshop.with_signature(unsigned, signature))


def trust(workshop: Any, keyring: Any, *fingerprints: str, listed: str | None = None) -> None:
    file = keyring.export(workshop.folder / "keys.asc", *fingerprints)
    workshop.roots |= {
        "gpg_keys": (file,),
        "gpg_fingerprints": frozenset([listed or fingerprints[0]]),
    }


def refusal(workshop: Any, commit: Any) -> str:
    with pytest.raises(Rejected) as refused:
        workshop.verify(commit)
    return str(refused.value.problems[0].message)


def test_a_listed_key_vouches_and_one_that_is_only_known_does_not(
    workshop: Any, keyring: Any
) -> None:
    ours, other = keyring.generate(COMMITTER), keyring.generate("grace@example.com", name="Other")
    trust(workshop, keyring, ours, other)
    signer = workshop.verify(signed(workshop, keyring, ours))
    assert (signer.method, signer.fingerprint, signer.principal) == ("gpg", ours, COMMITTER)
    assert f"GPG key {other}, which is not allowed" in refusal(
        workshop, signed(workshop, keyring, other)
    )


def test_an_unknown_key_a_changed_commit_and_a_weak_digest_are_refused(
    workshop: Any, keyring: Any
) -> None:
    ours, other = keyring.generate(COMMITTER), keyring.generate("eve@example.com", name="Eve")
    trust(workshop, keyring, ours)
    assert "not configured" in refusal(workshop, signed(workshop, keyring, other))
    signed(workshop, keyring, ours)
    changed = workshop.store(workshop.raw("main").replace(b"\n\nchange", b"\n\nchanged"))
    assert "changed after" in refusal(workshop, changed)
    weak = signed(workshop, keyring, ours, "--digest-algo", "SHA1")
    assert refusal(workshop, weak)


def test_two_signatures_in_one_armour_are_refused(workshop: Any, keyring: Any) -> None:
    ours, other = keyring.generate(COMMITTER), keyring.generate("eve@example.com", name="Eve")
    trust(workshop, keyring, ours, other)
    twice = signed(workshop, keyring, ours, "--local-user", other)
    assert refusal(workshop, twice)


def test_a_key_of_another_address_does_not_vouch_for_the_committer(
    workshop: Any, keyring: Any
) -> None:
    ours = keyring.generate("mallory@example.com")
    trust(workshop, keyring, ours)
    commit = signed(workshop, keyring, ours)
    assert "key of `mallory@example.com`" in refusal(workshop, commit)
    workshop.roots["signer_is_committer"] = False
    assert workshop.verify(commit).principal == "mallory@example.com"


def test_an_expired_key_is_refused(workshop: Any, keyring: Any) -> None:
    ours = keyring.generate(COMMITTER, expires="20251201T000000")
    trust(workshop, keyring, ours)
    commit = signed(workshop, keyring, ours, "--faked-system-time", "20251115T000000!")
    assert "expired" in refusal(workshop, commit)


def test_a_revoked_key_is_refused(workshop: Any, keyring: Any) -> None:
    ours = keyring.generate(COMMITTER)
    commit = signed(workshop, keyring, ours)
    certificate = Path(keyring.home, "openpgp-revocs.d", f"{ours}.rev")
    revocation = certificate.read_text().replace(":-----BEGIN", "-----BEGIN")
    keyring.gpg("--import", stdin=revocation.encode())
    trust(workshop, keyring, ours)
    assert "revoked" in refusal(workshop, commit)


def test_ssh_alone_configured_refuses_gpg(workshop: Any, keyring: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    commit = signed(workshop, keyring, keyring.generate(COMMITTER))
    assert "no GPG key is configured" in refusal(workshop, commit)


def test_what_could_vouch_for_nobody_stops_the_start(workshop: Any, keyring: Any) -> None:
    ours = keyring.generate(COMMITTER)
    trust(workshop, keyring, ours, listed="0" * 40)
    with pytest.raises(Stalled, match="holds a primary key 0000"):
        workshop.check()
    workshop.roots["gpg_fingerprints"] = frozenset()
    with pytest.raises(Stalled, match="belong together"):
        workshop.check()
    empty = workshop.folder / "empty"
    empty.write_text("nothing")
    workshop.roots |= {"gpg_keys": (empty,), "gpg_fingerprints": frozenset([ours])}
    with pytest.raises(Stalled, match="holds no public key"):
        workshop.check()
