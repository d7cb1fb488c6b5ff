"""Real repositories, made by git itself, cut off from the configuration of whoever runs the tests."""

from __future__ import annotations

import base64
import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.gitops.access import Credentials
from app.gitops.addresses import parse_address
from app.gitops.fetching import FetchLimits
from app.gitops.remote import RemoteRepository
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


Answer = Callable[[BaseHTTPRequestHandler], None]


class GitServer(ThreadingHTTPServer):
    """Serves repositories below ``root`` as forges do: git's own ``http-backend`` behind HTTP."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Backend)
        self.root = root
        self.token: str | None = None
        self.answer: Answer | None = None
        """Takes the place of git, to hang or to lie."""
        self.requests = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that were killed in the middle of an answer."""


class _Backend(BaseHTTPRequestHandler):
    server: GitServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests += 1
        expected = self.server.token
        if expected is not None:
            given = self.headers.get("authorization", "").removeprefix("Basic ")
            password = base64.b64decode(given).decode().partition(":")[2]
            if password != expected:
                self._refuse(given)
                return
        if self.server.answer is not None:
            self.server.answer(self)
            return
        self._run_git()

    do_POST = do_GET  # noqa: N815 (the base class looks for this name)

    def _refuse(self, given: str) -> None:
        """Refuse, and say what was given, as a hostile or careless server may."""
        said = f"{given} {base64.b64decode(given).decode()}".encode()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _run_git(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            env=ENVIRONMENT
            | {
                "GIT_PROJECT_ROOT": str(self.server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A forge; its repositories are those of ``make``, by name."""
    with GitServer(tmp_path) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def fetch(tmp_path: Path) -> Iterator[Callable[..., RemoteRepository]]:
    """Follow a remote repository, plain http and file:// allowed."""
    opened = contextlib.ExitStack()

    def open_repository(
        location: str,
        *,
        branch: str = "main",
        path: str = "",
        mirror: str = "fetched",
        seconds: float = 20.0,
        megabytes: int = 64,
        **credentials: Any,
    ) -> RemoteRepository:
        repository = RemoteRepository(
            parse_address(location, ("https", "ssh", "http", "file")),
            branch,
            path,
            tmp_path / "mirrors" / mirror,
            Credentials(**credentials),
            FetchLimits(seconds, megabytes),
        )
        opened.callback(repository.close)
        return repository

    with opened:
        yield open_repository
