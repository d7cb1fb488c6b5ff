"""The cache: whole or absent, read-only, bounded, shared by processes, and swept."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from app.domain.documents.packages import PackageSet
from app.domain.errors import Stalled, Transient
from app.runtime.dependencies.cache import GRACE_SECONDS

SIX = PackageSet.of("python", {"six": "1.16.0"})
OTHER = PackageSet.of("python", {"other": "2.0"})
PAD = PackageSet.of("node", {"left-pad": "1.3.0"})


def messages(found: Any) -> list[str]:
    return [problem.message for problems in found.values() for problem in problems]


def test_a_set_is_installed_read_only_for_everyone(
    make_cache: Any, fake_python: Any, root: Path
) -> None:
    cache = make_cache(python=fake_python("install()"))
    assert cache.folder(SIX) is None
    assert asyncio.run(cache.ensure([SIX])) == {}
    folder = root / cache.folder(SIX)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {folder.name: 0o555, "six.py": 0o444, "resolved.json": 0o444}
    assert list(root.iterdir()) == [folder]
    assert json.loads((folder / "resolved.json").read_text()) == {
        "language": "python",
        "dependencies": {"six": "1.16.0"},
        "resolved": [{"name": "six", "version": "1.16.0", "integrity": "sha256-ab"}],
    }


def test_a_careful_umask_hides_no_packages_from_hooks(
    make_cache: Any, fake_python: Any, root: Path
) -> None:
    cache = make_cache(python=fake_python("install(); (target / 'deep').mkdir()"))
    before = os.umask(0o077)
    try:
        asyncio.run(cache.ensure([SIX]))
    finally:
        os.umask(before)
    folder = root / cache.folder(SIX)
    for path in (root, folder, folder / "deep"):
        assert path.stat().st_mode & 0o055 == 0o055


def test_what_is_installed_is_not_installed_again(
    make_cache: Any, fake_python: Any, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    python = fake_python(f"open({str(count)!r}, 'a').write('x'); install()")
    told: list[tuple[int, int, str]] = []
    cache = make_cache(python=python, on_install=lambda n, of, one: told.append((n, of, str(one))))

    async def both_at_once() -> None:
        await asyncio.gather(cache.ensure([SIX]), cache.ensure([SIX]))

    asyncio.run(both_at_once())
    asyncio.run(make_cache(python=python).ensure([SIX]))
    assert count.read_text() == "x"
    assert told == [(1, 1, "six 1.16.0")]


def test_two_processes_that_install_one_set_at_once_both_have_it(
    make_cache: Any, fake_python: Any, tmp_path: Path, root: Path
) -> None:
    meet = tmp_path / "meet"
    meet.mkdir()
    python = fake_python(
        f"meet = Path({str(meet)!r}); (meet / str(os.getpid())).touch()\n"
        "while len(list(meet.iterdir())) < 2: time.sleep(0.01)\n"
        "install()"
    )
    one, other = make_cache(python=python), make_cache(python=python)

    async def race() -> None:
        for problems in await asyncio.gather(one.ensure([SIX]), other.ensure([SIX])):
            assert problems == {}

    asyncio.run(race())
    assert [path.name for path in root.iterdir()] == [one.folder(SIX)]


def test_every_package_that_cannot_be_had_is_found_in_one_go(
    make_cache: Any, fake_python: Any
) -> None:
    python = fake_python(
        """
bad = sorted(wanted.keys() - {"good"})
if bad:
    said = f"satisfies the requirement {bad[0]}=={wanted[bad[0]]} (from versions: none)"
    sys.exit(said)
install()
"""
    )
    cache = make_cache(python=python)
    asked = PackageSet.of("python", {"bad-a": "1.0", "good": "1.0", "bad-b": "2.0"})
    found = asyncio.run(cache.ensure([asked, OTHER]))
    assert sorted(problem.key for problem in found[asked]) == [
        "dependencies.bad-a",
        "dependencies.bad-b",
    ]
    assert [problem.key for problem in found[OTHER]] == ["dependencies.other"]


def test_a_registry_that_is_down_outweighs_nothing_that_is_certain(
    make_cache: Any, fake_python: Any, fake_node: Any, root: Path
) -> None:
    python = fake_python("sys.exit('Retrying after connection broken by x')")
    node = fake_node(
        'print(json.dumps({"error": {"code": "E404", "detail": "left-pad@1.3.0"}}))\nsys.exit(1)'
    )
    cache = make_cache(python=python, node=node)
    with pytest.raises(Transient, match="cannot be reached"):
        asyncio.run(cache.ensure([SIX]))
    assert messages(asyncio.run(cache.ensure([SIX, PAD]))) == ["npm has no package left-pad"]
    assert list(root.iterdir()) == []


def test_npm_packages_are_installed_below_node_modules(
    make_cache: Any, fake_node: Any, root: Path
) -> None:
    cache = make_cache(node=fake_node("install()"))
    assert asyncio.run(cache.ensure([PAD])) == {}
    folder = root / cache.folder(PAD)
    assert sorted(path.name for path in folder.iterdir()) == ["node_modules", "resolved.json"]


@pytest.mark.parametrize(
    "entry",
    [
        {"dependencies": {"x": "git+https://evil.example/x.git"}},
        {"dependencies": {"x": "github:evil/x"}},
        {"dependencies": {"x": "evil/x"}},
        {"dependencies": {"x": "https://evil.example/x.tgz"}},
        {"optionalDependencies": {"x": "file:../../../etc"}},
        {"link": True},
    ],
)
def test_an_npm_that_knows_no_better_is_checked(
    make_cache: Any, fake_node: Any, root: Path, entry: dict[str, object]
) -> None:
    """Versions of npm without ``--allow-git=none`` and its like install these."""
    cache = make_cache(node=fake_node(f"install(**{entry!r})"))
    (message,) = messages(asyncio.run(cache.ensure([PAD])))
    assert "registry" in message
    assert list(root.iterdir()) == []


def test_an_alias_of_a_package_of_the_registry_is_fine(make_cache: Any, fake_node: Any) -> None:
    body = 'install(dependencies={"y": "npm:@scope/y@^1.0.0", "z": ">=1 <2 || latest"})'
    assert asyncio.run(make_cache(node=fake_node(body)).ensure([PAD])) == {}


def test_without_a_node_that_is_fit_a_person_must_act(make_cache: Any, tmp_path: Path) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.20.0\n")
    old.chmod(0o755)
    for path in (old, tmp_path / "nothing"):
        with pytest.raises(Stalled, match="npm packages need"):
            asyncio.run(make_cache(node=path).ensure([PAD]))


def test_an_installer_that_takes_too_long_is_killed_with_all_it_started(
    make_cache: Any, fake_python: Any, tmp_path: Path, root: Path
) -> None:
    pids = tmp_path / "pids"
    python = fake_python(
        f"""
import subprocess
child = subprocess.Popen(["sleep", "600"])
Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""
    )
    (message,) = messages(asyncio.run(make_cache(python=python, seconds=2.0).ensure([SIX])))
    assert message.startswith("installing took longer than 2 seconds")
    for pid in pids.read_text().split():
        assert _ends(int(pid))
    assert list(root.iterdir()) == []


def test_a_caller_that_gives_up_leaves_nothing_behind(
    make_cache: Any, fake_python: Any, tmp_path: Path, root: Path
) -> None:
    pids = tmp_path / "pids"
    body = f"Path({str(pids)!r}).write_text(str(os.getpid())); time.sleep(600)"
    cache = make_cache(python=fake_python(body))

    async def give_up() -> None:
        task = asyncio.ensure_future(cache.ensure([SIX]))
        await asyncio.to_thread(_written, pids)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert _ends(int(pids.read_text()))
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        "install(); (target / 'big').write_bytes(bytes(3 << 20))",
        "install(); [(target / str(n)).touch() for n in range(200)]",
        # While it runs, and in its home rather than among the packages:
        "[(target.parent / 'home' / str(n)).write_bytes(bytes(1 << 20)) for n in range(10)]; time.sleep(600)",
    ],
)
def test_packages_that_are_too_large_are_refused(
    make_cache: Any, fake_python: Any, root: Path, body: str
) -> None:
    cache = make_cache(python=fake_python(body), size=2 << 20, files=100)
    (message,) = messages(asyncio.run(cache.ensure([SIX])))
    assert message.startswith(("the packages are larger than 2 MB", "pip failed"))
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os.symlink('/etc/passwd', target / 'x')", "x is a link that leads out"),
        ("os.symlink('../../../..', target / 'x')", "x is a link that leads out"),
        ("(target / 'a').mkdir(); os.symlink('/', target / 'a/x')", "a/x is a link that leads out"),
        ("os.mkfifo(target / 'x')", "x is neither a file nor a folder"),
    ],
)
def test_links_out_of_the_folder_and_devices_are_refused(
    make_cache: Any, fake_python: Any, root: Path, body: str, reason: str
) -> None:
    (message,) = messages(
        asyncio.run(make_cache(python=fake_python(f"install(); {body}")).ensure([SIX]))
    )
    assert reason in message
    assert list(root.iterdir()) == []


def test_links_within_the_folder_stay(make_cache: Any, fake_python: Any, root: Path) -> None:
    cache = make_cache(python=fake_python("install(); os.symlink('six.py', target / 'x')"))
    assert asyncio.run(cache.ensure([SIX])) == {}
    assert (root / cache.folder(SIX) / "x").read_text() == "x = 1"


def test_nothing_of_the_servers_environment_reaches_an_installer(
    make_cache: Any, fake_python: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLEDGER_MASTER_KEY_FILE", "/secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    python = fake_python("install(); (target / 'seen').write_text(json.dumps(dict(os.environ)))")
    cache = make_cache(python=python, registries={"PIP_INDEX_URL": "https://mirror.example/"})
    assert asyncio.run(cache.ensure([SIX])) == {}
    seen = json.loads((root / cache.folder(SIX) / "seen").read_text())
    assert seen["PIP_INDEX_URL"] == "https://mirror.example/"
    assert seen.keys() <= {
        "PIP_INDEX_URL", "PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LC_ALL", "LC_CTYPE",
    }  # fmt: skip
    assert seen["HOME"].startswith(str(root))


def test_what_an_installer_says_cannot_steer_a_terminal(make_cache: Any, fake_python: Any) -> None:
    python = fake_python("sys.exit('ERROR: \\x1b[2Jgone \\x07' + 'x' * 10_000)")
    (message,) = messages(asyncio.run(make_cache(python=python).ensure([SIX])))
    assert message.isprintable()
    assert len(message) < 600


def test_a_python_that_cannot_be_started_needs_a_person(make_cache: Any, tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="cannot be started"):
        asyncio.run(make_cache(python=tmp_path / "nothing").ensure([SIX]))


def test_a_folder_that_cannot_be_written_needs_a_person(
    make_cache: Any, fake_python: Any, root: Path
) -> None:
    root.write_text("a file where the folder should be")
    with pytest.raises(Stalled, match="cannot be kept in"):
        asyncio.run(make_cache(python=fake_python("install()")).ensure([SIX]))


def test_sweeping_deletes_only_what_nobody_wants_any_more(
    make_cache: Any, fake_python: Any, root: Path
) -> None:
    cache = make_cache(python=fake_python("install()"))
    old = PackageSet.of("python", {"old": "1.0"})
    asyncio.run(cache.ensure([SIX, OTHER, old]))
    abandoned, busy = root / ".tmp-0123456789abcdef", root / ".tmp-fedcba9876543210"
    foreign = root / "somebody-elses"
    for folder in (abandoned, busy, foreign):
        folder.mkdir()
    long_ago = time.time() - GRACE_SECONDS - 60
    for folder in (root / cache.folder(SIX), root / cache.folder(old), abandoned, foreign):
        os.utime(folder, (long_ago, long_ago))
    asyncio.run(cache.sweep([SIX]))
    left = {path.name for path in root.iterdir()}
    assert left == {cache.folder(SIX), cache.folder(OTHER), busy.name, foreign.name}


def test_asking_for_a_set_keeps_it_from_being_swept(
    make_cache: Any, fake_python: Any, root: Path
) -> None:
    cache = make_cache(python=fake_python("install()"))
    asyncio.run(cache.ensure([SIX]))
    long_ago = time.time() - GRACE_SECONDS - 60
    os.utime(root / cache.folder(SIX), (long_ago, long_ago))
    asyncio.run(cache.ensure([SIX]))
    asyncio.run(cache.sweep([]))
    assert cache.folder(SIX) is not None


def test_sweeping_before_anything_was_installed_is_fine(make_cache: Any, root: Path) -> None:
    asyncio.run(make_cache().sweep([SIX]))
    assert not root.exists()


def test_a_server_that_is_not_root_can_install_and_sweep(tmp_path: Path) -> None:
    """Read-only folders can neither be moved nor deleted by just anybody."""
    from app.runtime.dependencies.folders import remove, seal

    made = tmp_path / "work/packages"
    (made / "deep/er").mkdir(parents=True)
    (made / "deep/er/file").touch()
    if os.getuid() == 0:
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, 65534, 65534)
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:  # whom no mode of a file hinders
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            seal(Path("work/packages"))
            Path("work/packages").rename("placed")
            Path("placed").chmod(0o555)
            remove(Path("placed"))
            os._exit(1 if Path("placed").exists() else 0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _written(file: Path) -> None:
    while not file.exists() or not file.read_text():
        time.sleep(0.01)


def _ends(pid: int) -> bool:
    """Wait until a process has ended; one that only waits to be reaped has."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False
