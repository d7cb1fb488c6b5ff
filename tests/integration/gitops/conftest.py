"""Real repositories, made by git itself, cut off from the configuration of whoever runs the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from app.gitops.source import LocalRepository

TRIGGERS = (
    "credentials-exchange",
    "pre-user-registration",
    "post-user-registration",
    "post-change-password",
    "send-phone-message",
)
HOOK = "hooks/pre-user-registration/no-throwaway"
SCRIPT = "def hook(user, context):\n    return {}\n"

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Grace",
    "GIT_COMMITTER_EMAIL": "grace@example.com",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}

Content = str | bytes | None


class GitRepository:
    """A repository as its owner sees it; ``LocalRepository`` is what follows it."""

    def __init__(self, location: Path, *, bare: bool = False) -> None:
        self.location = location
        location.mkdir(parents=True)
        self.git(
            "init", "--quiet", "--initial-branch=main", "--template=", *(["--bare"] if bare else [])
        )

    @property
    def git_dir(self) -> Path:
        inner = self.location / ".git"
        return inner if inner.is_dir() else self.location

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.location,
            env=ENVIRONMENT,
            input=stdin,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, files: Mapping[str, Content]) -> None:
        for name, content in files.items():
            file = self.location / name
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, Content], message: str = "change") -> str:
        """Commit ``files`` (None deletes) on top of what is there; return the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_hook(self, folder: str = HOOK, manifest: str = "enabled = true\n") -> str:
        return self.commit({f"{folder}/hook.toml": manifest, f"{folder}/hook.py": SCRIPT})

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def tree(self, *entries: tuple[str, str, str | bytes]) -> str:
        """Store a tree of (mode, id, name), however hostile, and return its id."""
        data = b"".join(
            b"%s %s\0%s"
            % (
                mode.encode(),
                name if isinstance(name, bytes) else name.encode(),
                bytes.fromhex(sha),
            )
            for mode, sha, name in entries
        )
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=data)

    def commit_tree(self, tree: str, branch: str = "main") -> str:
        commit = self.git("commit-tree", tree, "-m", "crafted")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def commit_hooks_tree(self, hooks: str) -> str:
        """Commit a tree that has the tree ``hooks`` as its folder of that name."""
        return self.commit_tree(self.tree(("40000", hooks, "hooks")))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., GitRepository]:
    def make_repository(name: str, *, bare: bool = False) -> GitRepository:
        return GitRepository(tmp_path / name, bare=bare)

    return make_repository


@pytest.fixture
def theirs(make: Callable[..., GitRepository]) -> GitRepository:
    """The followed repository."""
    return make("theirs")


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., LocalRepository]]:
    opened: list[LocalRepository] = []

    def open_repository(location: Path, *, branch: str = "main", path: str = "") -> LocalRepository:
        mirror = tmp_path / f"mirror-{len(opened)}"
        opened.append(LocalRepository(location, branch, path, mirror))
        return opened[-1]

    yield open_repository
    for repository in opened:
        repository.close()


@pytest.fixture
def ours(theirs: GitRepository, follow: Callable[..., LocalRepository]) -> LocalRepository:
    """What follows ``theirs`` on ``main``."""
    return follow(theirs.location)
