"""``[process]`` of a manifest: what is stored, what a worker is given, what is refused."""

import pytest

from app.domain.documents.processes import lifecycle_of, limits_of
from app.domain.errors import Rejected
from app.domain.manifests.manifest import parse_manifest
from app.domain.outcomes import Lifecycle, Limits
from app.domain.plans.plan import DesiredHook

FOLDER = "hooks/pre-user-registration/a-hook"


def parsed(table: str) -> DesiredHook:
    manifest = f"[process]\n{table}\n".encode()
    files = {"hook.toml": manifest, "hook.py": b"def hook(user, context): ..."}
    return parse_manifest(FOLDER, manifest, files, ["pre-user-registration"])


def test_a_hook_without_the_table_stores_nothing_and_lives_by_default() -> None:
    settings = parsed("").settings
    assert "process" not in settings
    assert lifecycle_of(settings) == Lifecycle()
    assert limits_of(settings) == Limits()


def test_what_is_written_is_what_a_worker_is_given() -> None:
    settings = parsed(
        'concurrency = 4\nmemory = "1GiB"\nmax_calls = 1000\nmax_age = "2h"\nmin_ready = 3'
    ).settings
    assert lifecycle_of(settings) == Lifecycle(
        concurrency=4, max_calls=1000, max_age=7200.0, min_ready=3
    )
    assert limits_of(settings) == Limits(memory_bytes=1 << 30, max_workers=3)


def test_a_fresh_process_for_every_call() -> None:
    assert lifecycle_of(parsed('mode = "fresh"').settings).mode == "fresh"


def test_only_what_is_written_is_stored() -> None:
    assert parsed('memory = "64MiB"').settings["process"] == {"memory_bytes": 64 << 20}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('mode = "cold"', "process.mode"),
        ("concurrency = 0", "process.concurrency"),
        ("concurrency = true", "process.concurrency"),
        ("concurrency = 65", "process.concurrency"),
        ('memory = "12"', "process.memory"),
        ('memory = "63MiB"', "process.memory"),
        ('memory = "5GiB"', "process.memory"),
        ("memory = 128", "process.memory"),
        ("max_calls = -1", "process.max_calls"),
        ('max_age = "8d"', "process.max_age"),
        ('max_age = "soon"', "process.max_age"),
        ("min_ready = 17", "process.min_ready"),
        ("threads = 2", "process.threads"),
        ('mode = "fresh"\nconcurrency = 2', "process.concurrency"),
        ('mode = "fresh"\nmax_calls = 2', "process.max_calls"),
    ],
)
def test_what_cannot_be_is_refused_at_its_line(line: str, key: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parsed(line)
    assert [problem.key for problem in refusal.value.problems] == [key]
    assert refusal.value.problems[0].line is not None
