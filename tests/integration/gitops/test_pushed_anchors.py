"""Checkpoints at a ref of a repository elsewhere: pushed when they can be, forward only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Rejected, Stalled, Transient
from app.gitops import pushed_anchors
from app.gitops.access import Credentials
from app.gitops.addresses import parse_address
from app.gitops.fetching import FetchLimits
from app.gitops.pushed_anchors import PushedAnchor, RemoteRef, fetched_notes

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository, GitServer

REF = "refs/hookledger/checkpoints"
TOKEN = "ghp_SECRETSECRETSECRET"
NOTE = (
    "site/tenant\n{}\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 site/tenant AAAAAAAA\n"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_anchors, "SHORTEST_PAUSE", 0.01)


@pytest.fixture
def url(theirs: GitRepository, server: GitServer) -> str:
    theirs.commit_hook()
    theirs.git("config", "http.receivepack", "true")
    return f"{server.address}/theirs/.git"


@pytest.fixture
def remote(url: str) -> Callable[..., RemoteRef]:
    def make(ref: str = REF, **credentials: Any) -> RemoteRef:
        address = parse_address(url, ("http",))
        return RemoteRef(address, ref, Credentials(**credentials), FetchLimits(20.0, 64))

    return make


@pytest.fixture
def anchor(
    tmp_path: Path, remote: Callable[..., RemoteRef]
) -> Iterator[Callable[..., PushedAnchor]]:
    opened = contextlib.ExitStack()

    def make(copy: str = "copy", **credentials: Any) -> PushedAnchor:
        made = PushedAnchor(
            remote(**credentials), tmp_path / copy, lambda: datetime(2026, 1, 1, tzinfo=UTC)
        )
        opened.callback(made.close, 0)
        return made

    with opened:
        yield make


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_a_note_arrives_and_is_fetched_for_verification(
    anchor: Callable[..., PushedAnchor],
    remote: Callable[..., RemoteRef],
    theirs: GitRepository,
) -> None:
    assert fetched_notes(remote()) == []
    put = anchor()
    for size in (1, 2):
        put(NOTE.format(size))
        wait_for(lambda: len(fetched_notes(remote())) == size)  # noqa: B023 (called at once)
    put.close()

    assert fetched_notes(remote()) == [NOTE.format(2), NOTE.format(1)]
    assert theirs.git("show", f"{REF}:checkpoint") == NOTE.format(2).strip()
    assert theirs.git("fsck", "--strict", "--full") == ""
    assert put.problem is None


def test_closing_waits_a_moment_for_what_is_on_its_way(
    anchor: Callable[..., PushedAnchor], remote: Callable[..., RemoteRef]
) -> None:
    put = anchor()
    put(NOTE.format(1))
    put.close(20)
    assert fetched_notes(remote()) == [NOTE.format(1)]


def test_several_servers_add_to_one_ref_and_none_takes_anything_back(
    anchor: Callable[..., PushedAnchor], remote: Callable[..., RemoteRef]
) -> None:
    puts = [anchor(str(number)) for number in range(3)]
    notes = [NOTE.format(number) for number in range(len(puts))]
    for put, note in zip(puts, notes, strict=True):
        put(note)
    wait_for(lambda: set(notes) <= set(fetched_notes(remote())))
    for put in puts:
        put.close()
    history = list(reversed(fetched_notes(remote())))
    put = anchor("0")
    put(NOTE.format(9))
    put.close(20)
    assert list(reversed(fetched_notes(remote()))) == [*history, NOTE.format(9)]


def test_who_signs_does_not_wait_for_a_server_that_hangs(
    anchor: Callable[..., PushedAnchor], server: GitServer
) -> None:
    released = threading.Event()

    def hang(_: object) -> None:
        released.wait(20)

    server.answer = hang
    put = anchor()
    put(NOTE.format(1))
    wait_for(lambda: server.requests > 0)
    put(NOTE.format(2))
    put.close(0)
    released.set()


def test_what_failed_is_told_without_the_token_and_tried_again(
    anchor: Callable[..., PushedAnchor],
    remote: Callable[..., RemoteRef],
    server: GitServer,
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    server.token = "another"
    put = anchor(token_file=tmp_path / "token")
    put(NOTE.format(1))
    wait_for(lambda: put.problem is not None)
    assert "is not at refs/hookledger/checkpoints of http://127.0.0.1" in str(put.problem)
    assert TOKEN not in str(put.problem)

    server.token = TOKEN
    wait_for(lambda: put.problem is None)
    assert fetched_notes(remote(token_file=tmp_path / "token")) == [NOTE.format(1)]


def test_a_repository_that_may_only_be_read_is_told(
    anchor: Callable[..., PushedAnchor], theirs: GitRepository
) -> None:
    theirs.git("config", "http.receivepack", "false")
    put = anchor()
    put(NOTE.format(1))
    wait_for(lambda: put.problem is not None)


def test_what_cannot_be_fetched_is_no_empty_list(
    remote: Callable[..., RemoteRef], server: GitServer
) -> None:
    server.token = "needed"
    with pytest.raises((Stalled, Transient)):
        fetched_notes(remote())


@pytest.mark.parametrize("ref", ["refs/heads/main", "HEAD", "refs/../x", "--upload-pack=x"])
def test_a_ref_that_is_followed_or_none_is_refused(
    remote: Callable[..., RemoteRef], tmp_path: Path, ref: str
) -> None:
    with pytest.raises(Rejected, match="ANCHOR_REF"):
        PushedAnchor(remote(ref), tmp_path / "copy", lambda: datetime(2026, 1, 1, tzinfo=UTC))
