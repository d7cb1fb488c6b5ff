"""A remote repository is fetched, read like a local one, and never trusted to answer."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import NotFound, Stalled, Transient
from app.domain.plans.plan import DesiredState
from app.gitops.remote import RemoteRepository

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository, GitServer

OTHER = "hooks/send-phone-message/twilio"
TOKEN = "ghp_SECRETSECRETSECRET"

Fetch = Callable[..., RemoteRepository]
Make = Callable[..., "GitRepository"]


def read(ours: RemoteRepository, since: DesiredState | None = None) -> DesiredState:
    return ours.desired(ours.refresh(), since.tree if since else None)


def names(state: DesiredState) -> list[str]:
    return sorted(hook.name for hook in state.hooks)


@pytest.fixture
def url(theirs: GitRepository, server: GitServer) -> str:
    theirs.commit_hook()
    return f"{server.address}/theirs/.git"


def test_a_branch_is_fetched_and_read_over_http(
    theirs: GitRepository, fetch: Fetch, url: str
) -> None:
    ours = fetch(url)
    first = read(ours)
    assert names(first) == ["no-throwaway"]
    assert first.commit == theirs.git("rev-parse", "main") == ours.tip()
    theirs.commit_hook(OTHER)
    assert ours.tip() == first.commit, "nothing is known before the next fetch"
    second = read(ours, first)
    assert (names(second), second.complete) == (["twilio"], False)
    assert ours.is_ancestor(first.commit, second.commit)


def test_a_file_address_is_fetched(make: Make, fetch: Fetch) -> None:
    work, bare = make("work"), make("bare.git", bare=True)
    commit = work.commit_hook()
    work.git("push", "--quiet", str(bare.location), "main")
    assert read(fetch(bare.location.as_uri())).commit == commit


def test_only_the_followed_branch_is_fetched(
    theirs: GitRepository, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    theirs.git("tag", "-a", "-m", "x", "v1")
    theirs.git("branch", "other")
    theirs.git("update-ref", "refs/replace/" + "1" * 40, "HEAD")
    read(fetch(url))
    mirror = tmp_path / "mirrors/fetched"
    kept = [str(file.relative_to(mirror)) for file in mirror.glob("refs/**/*") if file.is_file()]
    assert kept == ["refs/sync/tip"]
    assert mirror.stat().st_mode & 0o777 == 0o700


def test_a_restart_reads_what_was_fetched_once_more(
    theirs: GitRepository, fetch: Fetch, url: str
) -> None:
    theirs.commit_hook(OTHER)
    first = read(fetch(url))
    theirs.commit({f"{OTHER}/hook.py": "def hook(recipient, text, context):\n    return {}\n"})
    again = fetch(url)
    assert again.tip() == theirs.git("rev-parse", "main")
    assert names(again.desired(again.tip(), first.tree)) == ["twilio"]


def test_other_branches_tags_and_commits_are_found(
    theirs: GitRepository, fetch: Fetch, url: str
) -> None:
    main = theirs.git("rev-parse", "main")
    theirs.git("checkout", "--quiet", "-b", "side")
    side = theirs.commit_hook(OTHER)
    theirs.git("tag", "-a", "-m", "x", "v1")
    ours = fetch(url)
    assert ours.resolve("side") == side
    assert ours.resolve("v1") == side
    assert ours.resolve(main[:9]) == main
    assert ours.tip() == main
    for unknown in ("nowhere", "1" * 40, "--upload-pack=x", "a..b", "HEAD~1"):
        with pytest.raises(NotFound):
            ours.resolve(unknown)


def test_a_rewritten_branch_is_followed_and_can_be_told(
    theirs: GitRepository, fetch: Fetch, url: str
) -> None:
    theirs.commit_hook(OTHER)
    ours = fetch(url)
    before = read(ours)
    theirs.git("reset", "--quiet", "--hard", "HEAD~1")
    after = read(ours, before)
    assert after.removed == {OTHER}
    assert not ours.is_ancestor(before.commit, after.commit)


def test_a_deleted_branch_stalls_and_what_was_fetched_stays(
    theirs: GitRepository, fetch: Fetch, url: str
) -> None:
    ours = fetch(url)
    first = read(ours)
    theirs.git("checkout", "--quiet", "--detach")
    theirs.git("branch", "-D", "main")
    with pytest.raises(Stalled, match=r"no branch `main`.*stays in force"):
        ours.refresh()
    assert names(ours.desired(first.commit, None)) == ["no-throwaway"]


def test_an_empty_or_absent_repository_stalls(make: Make, fetch: Fetch, server: GitServer) -> None:
    make("empty.git", bare=True)
    with pytest.raises(Stalled, match="no branch `main`"):
        fetch(f"{server.address}/empty.git").refresh()
    with pytest.raises(Stalled, match="no such repository"):
        fetch(f"{server.address}/nowhere.git", mirror="b").refresh()


def test_a_sha256_repository_is_refused_clearly(
    tmp_path: Path, fetch: Fetch, server: GitServer, theirs: GitRepository
) -> None:
    theirs.git("init", "--quiet", "--object-format=sha256", "-b", "main", str(tmp_path / "other"))
    blank = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path / "other"))
    theirs.git(*blank, "commit", "--quiet", "--allow-empty", "-m", "x")
    with pytest.raises(Stalled, match="SHA-256"):
        fetch(f"{server.address}/other/.git").refresh()


def test_a_token_opens_the_door_and_shows_nowhere(
    theirs: GitRepository, fetch: Fetch, server: GitServer, url: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    server.token = TOKEN
    ours = fetch(url, token_file=tmp_path / "token")
    seen, done = set[str](), threading.Event()

    def look_around() -> None:
        while not done.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    seen.add((process / "cmdline").read_bytes().decode(errors="replace"))
                    seen.add((process / "environ").read_bytes().decode(errors="replace"))
                except OSError:
                    continue

    looking = threading.Thread(target=look_around)
    looking.start()
    try:
        for number in range(5):
            theirs.commit({"x": str(number)})
            ours.refresh()
    finally:
        done.set()
        looking.join()
    assert any("git-remote-http" in text or "fetch" in text for text in seen)
    assert not [text for text in seen if TOKEN in text]
    mirror = tmp_path / "mirrors/fetched"
    assert not [f for f in mirror.rglob("*") if f.is_file() and TOKEN.encode() in f.read_bytes()]


def test_a_refused_token_stalls_and_is_not_shown_though_the_server_repeats_it(
    fetch: Fetch, server: GitServer, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    server.token = "another"
    with pytest.raises(Stalled, match="lets us not in") as refusal:
        fetch(url, token_file=tmp_path / "token").refresh()
    assert TOKEN not in str(refusal.value) + caplog.text
    with pytest.raises(Stalled, match="lets us not in"):
        fetch(url, mirror="b").refresh()


def test_a_renewed_token_is_taken_up(
    fetch: Fetch, server: GitServer, url: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("old")
    server.token = TOKEN
    ours = fetch(url, token_file=tmp_path / "token")
    with pytest.raises(Stalled):
        ours.refresh()
    (tmp_path / "token").write_text(TOKEN)
    assert names(read(ours)) == ["no-throwaway"]
    (tmp_path / "token").unlink()
    with pytest.raises(Stalled, match=r"token file .* cannot be read"):
        ours.refresh()


def test_a_redirect_is_not_followed(
    fetch: Fetch, server: GitServer, url: str, make: Make, tmp_path: Path
) -> None:
    make("elsewhere").commit_hook()
    asked: list[str] = []

    def send_away(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_response(302)
        request.send_header("Location", request.path.replace("theirs", "elsewhere"))
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answer = send_away
    with pytest.raises(Stalled, match="redirects are not followed"):
        fetch(url).refresh()
    assert len(asked) == 1


def never_answer(request: BaseHTTPRequestHandler) -> None:
    request.rfile.read(1)


def send_garbage(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
    request.end_headers()
    request.wfile.write(os.urandom(5000))


def send_endlessly(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
    request.end_headers()
    request.wfile.write(b"001e# service=git-upload-pack\n0000")
    while True:
        request.wfile.write(b"003f" + b"1" * 40 + b" refs/heads/endless-000\n" * 1)


def send_half(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
    request.send_header("Content-Length", "5000")
    request.end_headers()
    request.wfile.write(b"001e# service=git-upload-pack\n0000")


@pytest.mark.parametrize("answer", [never_answer, send_garbage, send_endlessly, send_half])
def test_a_server_that_hangs_or_lies_is_given_up_and_tried_again(
    fetch: Fetch, server: GitServer, url: str, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    ours = fetch(url, seconds=1.5)
    server.answer = answer
    begun = time.monotonic()
    with pytest.raises((Transient, Stalled)):
        ours.refresh()
    assert time.monotonic() - begun < 15
    assert git_processes(url) == []
    server.answer = None
    assert names(read(ours)) == ["no-throwaway"]


def test_a_truncated_pack_changes_nothing(
    theirs: GitRepository, fetch: Fetch, server: GitServer, url: str
) -> None:
    ours = fetch(url)
    before = read(ours)
    theirs.commit({OTHER + "/hook.py": os.urandom(50_000)})
    whole = server.RequestHandlerClass._run_git  # type: ignore[attr-defined]

    def cut(request: BaseHTTPRequestHandler) -> None:
        if request.command == "POST":
            written = request.wfile.write
            request.wfile.write = lambda data: written(bytes(data)[:20_000])  # type: ignore[method-assign]
        whole(request)
        request.close_connection = True

    server.answer = cut
    with pytest.raises((Transient, Stalled)):
        ours.refresh()
    assert ours.desired(before.commit, None) == before
    server.answer = None
    assert ours.refresh() == theirs.git("rev-parse", "main")


def test_more_than_the_limit_is_never_stored(
    theirs: GitRepository, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    theirs.commit({"large": os.urandom(3_000_000)})
    with pytest.raises(Stalled, match="more than 1 MB"):
        fetch(url, megabytes=1).refresh()
    kept = sum(f.stat().st_size for f in (tmp_path / "mirrors").rglob("*") if f.is_file())
    assert kept < 1_500_000
    assert fetch(url).refresh() == theirs.git("rev-parse", "main")


def test_a_hung_fetch_does_not_keep_others_from_reading_and_ends_with_the_server(
    fetch: Fetch, server: GitServer, url: str
) -> None:
    ours = fetch(url, seconds=60)
    first = read(ours)
    server.answer = never_answer
    failures: list[Exception] = []

    def refresh() -> None:
        try:
            ours.refresh()
        except Transient as error:
            failures.append(error)

    fetching, before = threading.Thread(target=refresh), server.requests
    fetching.start()
    while server.requests == before:
        time.sleep(0.01)
    assert names(ours.desired(first.commit, None)) == ["no-throwaway"]
    ours.interrupt()
    fetching.join(10)
    assert "interrupted" in str(failures[0])
    assert git_processes(url) == []


def test_hostile_trees_do_not_even_arrive(theirs: GitRepository, fetch: Fetch, url: str) -> None:
    blob = theirs.blob(b"x")
    inner = theirs.tree(("100644", blob, ".git"))
    theirs.commit_hooks_tree(theirs.tree(("40000", inner, "..")))
    with pytest.raises(Stalled, match="checks refuse"):
        fetch(url).refresh()


def test_a_damaged_mirror_is_set_aside_and_fetched_again(
    theirs: GitRepository, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    ours = fetch(url)
    first = read(ours)
    ours._reader.close()
    mirror = tmp_path / "mirrors/fetched"
    for pack in mirror.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        data[12:-20] = bytes(len(data) - 32)
        pack.write_bytes(data)
    assert ours.desired(first.commit, None) == first
    assert (tmp_path / "mirrors/fetched.damaged/objects").is_dir()
    (mirror / "refs/sync/tip").write_text("1" * 40 + "\n")
    theirs.commit_hook(OTHER)
    assert names(read(ours)) == ["no-throwaway", "twilio"]


def test_a_deleted_mirror_is_fetched_again(
    theirs: GitRepository, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    ours = fetch(url)
    first = read(ours)
    (tmp_path / "mirrors/fetched").rename(tmp_path / "gone")
    theirs.commit_hook(OTHER)
    assert names(read(ours)) == ["no-throwaway", "twilio"]
    assert ours.desired(first.commit, None).hooks == first.hooks


def test_what_a_killed_git_left_is_removed_when_it_is_old(
    fetch: Fetch, url: str, tmp_path: Path
) -> None:
    ours = fetch(url)
    read(ours)
    mirror = tmp_path / "mirrors/fetched"
    old = [mirror / "refs/sync/tip.lock", mirror / "objects/pack/tmp_pack_x", mirror / "a.lock"]
    young = mirror / "objects/pack/tmp_pack_y"
    for file in (*old, young):
        file.write_text("x")
    for file in old:
        os.utime(file, (time.time() - 700, time.time() - 700))
    ours.refresh()
    assert [file.exists() for file in (*old, young)] == [False, False, False, True]


def test_many_fetches_do_not_leave_many_packs(
    theirs: GitRepository, fetch: Fetch, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gitops.remote._MOST_PACKS", 3)
    ours = fetch(url)
    first = read(ours)
    for number in range(6):
        theirs.commit({"x": str(number)})
        ours.refresh()
    assert len(list((tmp_path / "mirrors/fetched").glob("objects/pack/*.pack"))) <= 3
    assert names(ours.desired(first.commit, None)) == ["no-throwaway"]


def test_ssh_is_told_exactly_what_it_may_do(
    theirs: GitRepository, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = theirs.commit_hook()
    recorded = tmp_path / "recorded"
    fake = tmp_path / "bin/ssh"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {recorded}\nenv >> {recorded}\n'
        'for last; do :; done\nexec sh -c "$last"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr("app.gitops.access.program", lambda name: str(tmp_path / "bin" / name))
    (tmp_path / "deploy key").write_text("key")
    (tmp_path / "hosts").write_text("host")
    files = {"ssh_key_file": tmp_path / "deploy key", "known_hosts_file": tmp_path / "hosts"}
    ours = fetch(f"git@git.example.com:{theirs.location}/.git", **files)
    assert ours.refresh() == commit
    said = recorded.read_text().splitlines()
    assert said[:2] == ["-F", "/dev/null"]
    assert said[2:4] == ["-i", str(tmp_path / "deploy key")]
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f'UserKnownHostsFile="{tmp_path}/hosts"',
        "GlobalKnownHostsFile=/dev/null",
        "IdentitiesOnly=yes",
        "ProxyCommand=none",
        "ForwardAgent=no",
    ):
        assert f"-o{option}" in said
    assert "git@git.example.com" in said
    assert "HOME=/nonexistent" in said
    assert not [line for line in said if line.startswith("SSH_AUTH_SOCK")]


def test_ssh_without_a_key_or_pinned_hosts_stalls_and_says_what_to_make(
    fetch: Fetch, tmp_path: Path
) -> None:
    with pytest.raises(Stalled, match="known_hosts_file"):
        fetch("ssh://git@git.example.com/x.git").refresh()
    missing = {"ssh_key_file": tmp_path / "none", "known_hosts_file": tmp_path / "none"}
    with pytest.raises(Stalled, match="There is no file"):
        fetch("ssh://git@git.example.com/x.git", mirror="b", **missing).refresh()


def git_processes(url: str) -> list[str]:
    """List the processes of fetches from url, whoever is their parent by now, and our dead ones."""
    listed = subprocess.run(
        ["ps", "-eo", "ppid=,comm=,args="], capture_output=True, text=True
    ).stdout
    gits = [row for line in listed.splitlines() if (row := line.split(maxsplit=2))[1][:3] == "git"]
    dead = [row for row in gits if "<defunct>" in row[2] and row[0] == str(os.getpid())]
    return [" ".join(row) for row in dead + [row for row in gits if url in row[2]]]
