"""Commits signed by SSH keys: whose count, when, for what; and every way to get around that."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.domain.errors import Rejected, Stalled

COMMITTER = "grace@example.com"


def refusal(workshop: Any, commit: str, **options: Any) -> str:
    with pytest.raises(Rejected) as refused:
        workshop.verify(commit, **options)
    [problem] = refused.value.problems
    assert "sign it with a key" in problem.message
    assert commit[:12] in problem.message
    return str(problem.message)


def test_a_commit_signed_by_an_allowed_key_names_its_signer(workshop: Any, key: Any) -> None:
    workshop.allow("# the team", "", f"{COMMITTER} {key.line}")
    signer = workshop.verify(workshop.commit(key))
    assert (signer.method, signer.fingerprint, signer.principal) == (
        "ssh",
        key.fingerprint,
        COMMITTER,
    )


@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "p521", "rsa"],
)
def test_every_usual_kind_of_key_is_understood(workshop: Any, private: Any, hashed: str) -> None:
    key = workshop.make_key(private)
    workshop.allow(f"{COMMITTER} {key.line}")
    assert workshop.verify(workshop.commit(key, hashed=hashed)).fingerprint == key.fingerprint


def test_nobody_need_sign_if_nothing_is_demanded(workshop: Any) -> None:
    assert workshop.verify(workshop.commit(), mode="none") is None


def test_an_unsigned_commit_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    assert "is not signed" in refusal(workshop, workshop.commit())


def test_a_key_that_is_not_allowed_is_refused_and_named(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {workshop.make_key().line}")
    assert key.fingerprint in refusal(workshop, workshop.commit(key))


@pytest.mark.parametrize(
    "option",
    [
        'valid-before="20261101Z"',  # over before now, though not when the commit claims to be made
        'valid-after="20261201Z"',
        'valid-after="20260601Z"',  # begun by now, but not when the commit was made
        'valid-before="202611201159Z"',
    ],
)
def test_a_key_out_of_its_time_is_refused(workshop: Any, key: Any, option: str) -> None:
    workshop.allow(f"{COMMITTER} {option} {key.line}")
    assert "not valid now, or was not" in refusal(workshop, workshop.commit(key))


def test_a_key_within_its_time_is_accepted(workshop: Any, key: Any) -> None:
    window = 'valid-after="20260101Z",valid-before="202611201201Z"'
    workshop.allow(f"{COMMITTER} {window} {key.line}")
    assert workshop.verify(workshop.commit(key)) is not None


def test_a_signature_for_something_else_does_not_count(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    assert "made for `file`" in refusal(workshop, workshop.commit(key, namespace="file"))


def test_a_key_for_other_namespaces_does_not_count(workshop: Any, key: Any) -> None:
    workshop.allow(f'{COMMITTER} namespaces="file,email" {key.line}')
    assert "not allowed" in refusal(workshop, workshop.commit(key))
    workshop.allow(f'{COMMITTER} namespaces="file,g?t" {key.line}')
    assert workshop.verify(workshop.commit(key)) is not None


def test_a_key_of_somebody_else_does_not_vouch_for_the_committer(workshop: Any, key: Any) -> None:
    workshop.allow(f"mallory@example.com {key.line}")
    commit = workshop.commit(key)
    assert "key of `mallory@example.com`" in refusal(workshop, commit)
    workshop.roots["signer_is_committer"] = False
    assert workshop.verify(commit).principal == "mallory@example.com"


@pytest.mark.parametrize(
    ("principals", "covered"),
    [
        ("*@example.com", True),
        ("ada@example.com,GRACE@example.com", True),
        ("*@example.com,!grace@*", False),
        ("*@example.org", False),
        ("[g]race@example.com", False),
        ('"gr?ce@example.com"', True),
    ],
)
def test_principals_are_patterns(workshop: Any, key: Any, principals: str, covered: bool) -> None:
    workshop.allow(f"{principals} {key.line}")
    commit = workshop.commit(key)
    if covered:
        assert workshop.verify(commit).principal == COMMITTER
    else:
        assert "key of" in refusal(workshop, commit)


@pytest.mark.parametrize("as_fingerprint", [True, False])
def test_a_revoked_key_is_refused_from_the_next_commit_on(
    workshop: Any, key: Any, as_fingerprint: bool
) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    commit = workshop.commit(key)
    assert workshop.verify(commit) is not None
    workshop.revoke(key.fingerprint if as_fingerprint else key.line)
    assert "revoked" in refusal(workshop, commit)


def test_a_commit_changed_after_signing_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit(key, message="grant read")
    tampered = workshop.raw("main").replace(b"grant read", b"grant root")
    assert "changed after" in refusal(workshop, workshop.store(tampered))


def test_a_signature_of_another_commit_does_not_count(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    borrowed = key.sign(b"something else")
    workshop.commit()
    commit = workshop.store(workshop.with_signature(workshop.raw("main"), borrowed))
    assert "changed after" in refusal(workshop, commit)


def test_a_second_signature_is_refused_whichever_is_good(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit()
    unsigned = workshop.raw("main")
    good, bad = key.sign(unsigned), workshop.make_key().sign(unsigned)
    for first, second in ((good, bad), (bad, good), (good, good)):
        twice = workshop.with_signature(workshop.with_signature(unsigned, first), second)
        assert "more than one" in refusal(workshop, workshop.store(twice))


@pytest.mark.parametrize(
    ("part", "doubled"),
    [
        (b"committer Grace", b"committer Mallory <mallory@example.com> 1 +0000\ncommitter Grace"),
        (b"author Ada", b"author Eve <eve@example.com> 1 +0000\nauthor Ada"),
        (b"tree ", b"tree " + b"1" * 40 + b"\ntree "),
    ],
)
def test_a_commit_that_reads_in_two_ways_is_refused_though_signed(
    workshop: Any, key: Any, part: bytes, doubled: bytes
) -> None:
    workshop.allow(f"*@example.com {key.line}")
    workshop.commit()
    odd = workshop.raw("main").replace(part, doubled, 1)
    commit = workshop.store(workshop.with_signature(odd, key.sign(odd)))
    assert refusal(workshop, commit)


def test_a_late_parent_or_committer_is_refused_though_signed(workshop: Any, key: Any) -> None:
    workshop.allow(f"*@example.com {key.line}")
    workshop.commit()
    head, _, body = workshop.raw("main").partition(b"\n\n")
    for late in (b"parent " + b"1" * 40, b"committer Eve <eve@example.com> 1 +0000"):
        odd = head + b"\n" + late + b"\n\n" + body
        assert "two ways" in refusal(
            workshop, workshop.store(workshop.with_signature(odd, key.sign(odd)))
        )


def test_a_signature_for_a_sha256_repository_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit()
    raw = workshop.raw("main")
    odd = workshop.with_signature(raw, key.sign(raw), b"gpgsig-sha256")
    assert "SHA-256" in refusal(workshop, workshop.store(odd))


def test_a_weak_rsa_signature_is_refused(workshop: Any) -> None:
    short = workshop.make_key(rsa.generate_private_key(65537, 1024))
    sha1 = workshop.make_key(rsa.generate_private_key(65537, 2048), rsa_algorithm="ssh-rsa")
    for key in (short, sha1):
        workshop.allow(f"{COMMITTER} {key.line}")
        assert "not accepted" in refusal(workshop, workshop.commit(key))


def test_a_signature_of_an_absurd_size_is_not_looked_at(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit()
    unsigned = workshop.raw("main")
    for begin in (b"-----BEGIN SSH SIGNATURE-----\n", b"-----BEGIN PGP SIGNATURE-----\n"):
        huge = workshop.with_signature(unsigned, begin + b"A" * 17_000)
        assert "more than 16384 bytes" in refusal(workshop, workshop.store(huge))


def test_damaged_signatures_are_refused_and_never_raise(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit()
    unsigned = workshop.raw("main")
    whole = base64.b64decode(b"".join(key.sign(unsigned).split(b"\n")[1:-2]))
    shortened = [workshop.armoured(whole[:length]) for length in range(0, len(whole), 7)]
    longer = [workshop.armoured(whole + b"x"), workshop.armoured(b"SSHSIG" + b"\xff" * 80)]
    others = [b"-----BEGIN SSH SIGNATURE-----\n?\n", b"-----BEGIN SIGNED MESSAGE-----\n", b""]
    for signature in (*shortened, *longer, *others):
        assert refusal(workshop, workshop.store(workshop.with_signature(unsigned, signature)))


def test_configuration_and_files_of_the_repository_name_nobody(workshop: Any, key: Any) -> None:
    attacker = workshop.make_key()
    workshop.allow(f"{COMMITTER} {key.line}")
    own = workshop.theirs.location / "allowed_signers"
    own.write_text(f"{COMMITTER} {attacker.line}\n")
    workshop.theirs.git("config", "gpg.ssh.allowedSignersFile", str(own))
    workshop.theirs.git("config", "gpg.ssh.program", "/bin/true")
    assert attacker.fingerprint in refusal(workshop, workshop.commit(attacker))


def test_an_unsigned_commit_in_the_middle_of_a_range_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    applied = workshop.commit(key, message="1")
    hidden = workshop.commit(None, message="2")
    tip = workshop.commit(key, message="3")
    with pytest.raises(Rejected) as refused:
        workshop.verify(tip, applied, "range")
    [problem] = refused.value.problems
    assert f"commit {hidden[:12]} is not signed" in problem.message
    assert workshop.verify(tip, applied, "head") is not None


def test_a_range_of_signed_commits_is_accepted(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit(None, message="before signatures were demanded")
    applied = workshop.commit(key, message="1")
    workshop.commit(key, message="2")
    tip = workshop.commit(key, message="3")
    assert workshop.verify(tip, applied, "range") is not None
    assert workshop.verify(tip, tip, "range") is not None
    assert workshop.verify(applied, tip, "range") is not None, "a way back is checked as well"


def test_the_first_sync_looks_at_the_newest_commit(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.commit(None, message="before signatures were demanded")
    assert workshop.verify(workshop.commit(key), None, "range") is not None


def test_a_way_back_to_an_unsigned_commit_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    before = workshop.commit(None, message="before signatures were demanded")
    applied = workshop.commit(key)
    assert "is not signed" in refusal(workshop, before, since=applied, mode="range")


def test_whoever_signs_a_merge_vouches_for_its_side_branch(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    applied = workshop.commit(key, message="1")
    side = workshop.commit(None, message="2")
    tree = workshop.theirs.git("rev-parse", f"{side}^{{tree}}")
    merge = workshop.theirs.git("commit-tree", tree, "-p", applied, "-p", side, "-m", "merge")
    unsigned = workshop.raw(merge)
    signed = workshop.store(workshop.with_signature(unsigned, key.sign(unsigned)))
    assert workshop.verify(signed, applied, "range") is not None


def test_after_a_rewritten_history_all_that_is_new_is_checked(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    root = workshop.commit(key, message="1")
    applied = workshop.commit(key, message="2")
    workshop.theirs.git("reset", "--quiet", "--hard", root)
    hidden = workshop.commit(None, message="3")
    tip = workshop.commit(key, message="4")
    with pytest.raises(Rejected, match=hidden[:12]):
        workshop.verify(tip, applied, "range")


def test_a_range_from_a_commit_that_is_gone_is_refused(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    with pytest.raises(Rejected, match="not in the repository any more"):
        workshop.verify(workshop.commit(key), "1" * 40, "range")


def test_without_any_key_the_check_cannot_be_made(workshop: Any) -> None:
    for mode in ("head", "range"):
        with pytest.raises(Stalled, match="no key is configured"):
            workshop.check(mode)
    assert workshop.check("none") is not None


def test_a_file_without_keys_or_with_bad_lines_stops_the_start(workshop: Any, key: Any) -> None:
    bad = {
        "": "holds no key",
        "# nothing": "holds no key",
        f"*@example.com cert-authority {key.line}": "certificates are not verified",
        f"*@example.com no-such {key.line}": "unknown option",
        f'*@example.com valid-after="soon" {key.line}': "not YYYYMMDD",
        f'*@example.com valid-after="20261399" {key.line}': "not YYYYMMDD",
        f'*@example.com namespaces="a",namespaces="git" {key.line}': "twice",
        key.line: "is not `principals",
        "*@example.com ssh-dss AAAA": "is not `principals",
        "*@example.com ssh-ed25519 AAAA": "damaged",
        f"*@example.com ssh-rsa {key.line.split()[1]}": "not of the type",
    }
    for line, sentence in bad.items():
        workshop.allow(line)
        with pytest.raises(Stalled, match=sentence):
            workshop.check()
    workshop.roots["allowed_signers"] = workshop.folder / "missing"
    with pytest.raises(Stalled, match="cannot be read"):
        workshop.check()
    workshop.allow(f"{COMMITTER} {key.line}")
    workshop.revoke("SSHKRL\n\0")
    with pytest.raises(Stalled, match="KRL"):
        workshop.check()


def test_keys_that_become_unreadable_refuse_nothing_for_good(workshop: Any, key: Any) -> None:
    workshop.allow(f"{COMMITTER} {key.line}")
    commit = workshop.commit(key)
    check = workshop.check()
    workshop.roots["allowed_signers"].unlink()
    workshop.check = lambda mode: check
    with pytest.raises(Stalled, match="cannot be read"):
        workshop.verify(commit)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH's own signatures need it")
@pytest.mark.parametrize("kind", [["ed25519"], ["ecdsa", "-b", "384"], ["rsa", "-b", "2048"]])
def test_what_git_itself_signs_is_accepted(workshop: Any, tmp_path: Path, kind: list[str]) -> None:
    private = tmp_path / "id"
    subprocess.run(
        ["ssh-keygen", "-q", "-N", "", "-C", "", "-f", str(private), "-t", *kind], check=True
    )
    public = private.with_name("id.pub").read_text().strip()
    workshop.allow(f"{COMMITTER} {public}")
    workshop.theirs.write({"file": "signed"})
    workshop.theirs.git("add", "--all")
    workshop.theirs.git(
        "-c", "gpg.format=ssh", "-c", f"user.signingkey={private}",
        "commit", "--quiet", "-S", "--message", "signed",
    )  # fmt: skip
    signer = workshop.verify(workshop.theirs.git("rev-parse", "HEAD"))
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", f"{private}.pub"],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert signer.fingerprint == listed.stdout.split()[1]
