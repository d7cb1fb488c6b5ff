"""Keys of access tokens: private at rest, rotated without breaking a token, withdrawn when lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jwk import KeySet

from app.domain.errors import Rejected
from app.vault.sealing import SealingVault
from app.vault.signing_keys import SigningKeys

LIFETIME = timedelta(hours=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "signing.db"


@pytest.fixture
def opened(file: Path, vault: SealingVault, clock: Any) -> Iterator[Callable[[], SigningKeys]]:
    made: list[SigningKeys] = []

    def open_keys() -> SigningKeys:
        made.append(SigningKeys(file, vault, clock, lifetime=LIFETIME))
        return made[-1]

    yield open_keys
    for keys in made:
        keys.close()


@pytest.fixture
def keys(opened: Callable[[], SigningKeys]) -> SigningKeys:
    return opened()


def verifies(token: str, keys: SigningKeys) -> bool:
    """Check a token as any client would: by the published document alone."""
    published = KeySet.import_key_set(keys.public_keys())  # type: ignore[arg-type]
    try:
        jwt.decode(token, published, algorithms=["RS256"])
    except (BadSignatureError, InvalidKeyIdError):
        return False
    return True


def test_a_token_verifies_by_what_is_published(keys: SigningKeys) -> None:
    token = keys.sign({"sub": "c"})
    assert verifies(token, keys)
    [published] = keys.public_keys()["keys"]
    assert published["kty"] == "RSA"
    assert published["use"] == "sig"
    assert published["alg"] == "RS256"
    assert not {"d", "p", "q", "dp", "dq", "qi"} & published.keys()


def test_the_private_key_is_not_readable_at_rest(keys: SigningKeys, file: Path) -> None:
    keys.sign({})
    private = keys._private.as_pem(private=True)
    stored = b"".join(path.read_bytes() for path in file.parent.glob("signing.db*"))
    assert b"PRIVATE KEY" not in stored
    assert private[100:140] not in stored
    assert file.stat().st_mode & 0o077 == 0


def test_another_vault_does_not_open_it(
    keys: SigningKeys, file: Path, tmp_path: Path, clock: Any
) -> None:
    from app.vault.sealing import open_vault

    other = open_vault(tmp_path / "other.keys", tmp_path / "other.db", clock)
    with pytest.raises(Rejected):
        SigningKeys(file, other, clock, lifetime=LIFETIME)
    other.close()


def test_a_restart_keeps_the_key(keys: SigningKeys, opened: Callable[[], SigningKeys]) -> None:
    token = keys.sign({})
    assert verifies(token, opened())


def test_after_a_rotation_old_tokens_verify_until_the_last_has_expired(
    keys: SigningKeys, clock: Any, file: Path
) -> None:
    before, former = keys.sign({}), keys._private.as_pem(private=True)
    kid = keys.rotate()
    after = keys.sign({})
    assert verifies(before, keys)
    assert verifies(after, keys)
    assert keys.published()[0].kid == kid
    assert keys._private.as_pem(private=True) != former
    clock.advance(LIFETIME)
    assert verifies(before, keys), "another process may have signed with it a moment longer"
    clock.advance(timedelta(minutes=2))
    assert not verifies(before, keys)
    assert verifies(after, keys)
    keys.rotate()
    assert len(keys.published()) == 2, "what has expired is deleted"


def test_a_rotation_destroys_the_former_private_key(keys: SigningKeys) -> None:
    keys.rotate()
    rows = keys._connection.execute(
        "SELECT private IS NULL, published_until IS NULL FROM signing_keys ORDER BY created_at"
    ).fetchall()
    assert sorted(rows) == [(0, 1), (1, 0)]


def test_a_withdrawn_key_verifies_nothing(keys: SigningKeys) -> None:
    token = keys.sign({})
    keys.rotate()
    keys.rotate(withdraw=True)
    assert not verifies(token, keys)
    assert len(keys.public_keys()["keys"]) == 1


def test_a_rotation_by_another_process_is_noticed(
    keys: SigningKeys, opened: Callable[[], SigningKeys]
) -> None:
    other = opened()
    kid = other.rotate()
    assert jwt.decode(keys.sign({}), other._private, algorithms=["RS256"]).header["kid"] == kid
    assert keys.public_key(kid) is not None


def test_tokens_survive_a_rotation_of_the_master_key(
    keys: SigningKeys, vault: SealingVault, opened: Callable[[], SigningKeys]
) -> None:
    token = keys.sign({})
    old = vault.keyring.current
    vault.keyring.rotate()
    vault.rewrap()
    vault.retire(old.id)
    assert verifies(token, opened())
