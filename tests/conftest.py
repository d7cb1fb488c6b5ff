"""What holds for every test: no settings, no git configuration, no network but loopback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for _name in [name for name in os.environ if name.startswith(("HOOKLEDGER_", "GIT_"))]:
    del os.environ[_name]
os.environ.update(
    GIT_CONFIG_GLOBAL="/dev/null",
    GIT_CONFIG_NOSYSTEM="1",
    GIT_AUTHOR_NAME="Ada Author",
    GIT_AUTHOR_EMAIL="ada@example.com",
    GIT_COMMITTER_NAME="Carl Committer",
    GIT_COMMITTER_EMAIL="carl@example.com",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the long versions of tests")
    parser.addoption("--write-screenshots", action="store_true", help="write docs/images")
    parser.addoption("--all-clients", action="store_true", help="try every version of a client")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, rather than skip, what targets of their own are for.

    Each has a sample that always runs.
    """
    options = {
        "slow": "--run-slow",
        "matrix": "--all-clients",
        "screenshots": "--write-screenshots",
    }
    left_out = {mark for mark, option in options.items() if not config.getoption(option)}
    deselected = [item for item in items if not left_out.isdisjoint(item.keywords)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def pytest_configure(config: pytest.Config) -> None:
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.0/8", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def repository_root() -> Path:
    return Path(__file__).resolve().parent.parent
