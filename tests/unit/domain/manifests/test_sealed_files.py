"""Files of sealed secrets: what they may look like, before and after they are decrypted."""

from __future__ import annotations

import pytest

from app.domain.errors import Rejected
from app.domain.manifests.sealed_files import MAX_PARTS, MAX_SEALED_BYTES, parts_of, values_of

PART = b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"


def test_a_file_has_one_binary_part_or_several_armoured_ones() -> None:
    assert parts_of("f", b"age-encryption.org/v1\n...") == (b"age-encryption.org/v1\n...",)
    assert parts_of("f", PART) == (PART,)
    assert [part.strip() for part in parts_of("f", PART + b"\n" + PART.strip())] == [
        PART.strip()
    ] * 2


@pytest.mark.parametrize(
    "data",
    [b"", b"API_KEY=plain", PART + b"API_KEY=plain", b"x" + PART, PART.replace(b"END", b"FIN")],
)
def test_anything_else_is_taken_for_a_leak_and_not_quoted(data: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        parts_of("hooks/a/secrets.age", data)
    [problem] = refused.value.problems
    assert (problem.file, "leaked" in problem.message) == ("hooks/a/secrets.age", True)
    assert "plain\n" not in str(refused.value)


def test_size_and_number_of_parts_are_limited() -> None:
    with pytest.raises(Rejected, match="KiB"):
        parts_of("f", b"age-encryption.org/" + b"x" * MAX_SEALED_BYTES)
    with pytest.raises(Rejected, match="parts"):
        parts_of("f", PART * (MAX_PARTS + 1))


@pytest.mark.parametrize(
    "plain",
    [
        b'{"hook": "a-hook", "secrets": {"KEY": "value"}}',
        b'hook = "a-hook"\n[secrets]\nKEY = "value"\n',
    ],
)
def test_values_stand_in_json_or_toml(plain: bytes) -> None:
    assert values_of("f", "a-hook", plain) == {"KEY": "value"}


@pytest.mark.parametrize(
    ("plain", "sentence"),
    [
        (b'{"hook": "other", "secrets": {"KEY": "s3cr3t"}}', "another hook than `a-hook`"),
        (b'{"secrets": {"KEY": "s3cr3t"}}', "members"),
        (b'{"hook": "a-hook", "secrets": {}, "s3cr3t": 1}', "members"),
        (b'{"hook": "a-hook", "secrets": ["s3cr3t"]}', "names to strings"),
        (b'{"hook": "a-hook", "secrets": {"KEY": 1}}', "names to strings"),
        (b'{"hook": "a-hook", "secrets": {"-KEY": "s3cr3t"}}', "1 to 128"),
        (b'{"hook": "a-hook", "secrets": {"KEY": ""}}', "empty"),
        (b'{"s3cr3t', "members"),
        (b"s3cr3t", "members"),
        (b"\xffs3cr3t", "members"),
        (b'{"a":' + b"[" * 100_000, "members"),
    ],
)
def test_what_cannot_be_used_is_refused_without_a_word_of_it(plain: bytes, sentence: str) -> None:
    with pytest.raises(Rejected, match=sentence) as refused:
        values_of("hooks/a/secrets.age", "a-hook", plain)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.problems[0].file == "hooks/a/secrets.age"
