"""Commands that are imported when they are asked for: all of them take more than a second."""

from __future__ import annotations

import importlib
from collections import UserDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group

from app.cli.examples import show_examples

STYLE: Mapping[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
"""Of every ``Typer`` that commands are made from."""


class Place(NamedTuple):
    """Where a command is, and what stands beside its name in a list."""

    member: str
    """E.g. ``app.cli.audit:group``: a function, or a ``Typer`` with commands of its own."""
    summary: str


def group_of(members: Mapping[str, Place], within: str = "") -> type[TyperGroup]:
    """Return the class of a group with these commands, behind those that are registered.

    The module of a member is imported when it runs or its own help is shown. ``within`` are the
    words before the name, for the examples.
    """

    class CommandsOnDemand(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(self.commands, members, within)

        def list_commands(self, ctx: object) -> list[str]:
            """Return the names alone; the library's method asks for the commands too."""
            _ = ctx
            return list(self.commands)

        def format_commands(self, ctx: object, formatter: Any) -> None:
            """List the commands with their summaries, without importing them."""
            _ = ctx
            width = formatter.width - 6 - max(map(len, self.commands))
            with formatter.section("Commands"):
                formatter.write_dl(
                    [
                        (
                            name,
                            members[name].summary
                            if name in members
                            else self.commands[name].get_short_help_str(width),
                        )
                        for name in self.commands
                    ]
                )

    return CommandsOnDemand


class _Commands(UserDict[str, Any]):
    def __init__(
        self, registered: Mapping[str, Any], members: Mapping[str, Place], within: str
    ) -> None:
        super().__init__(dict(registered) | dict.fromkeys(members))
        self._members = members
        self._within = within

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _imported(name, self._members[name].member, self._within)
        return self.data[name]


def _imported(name: str, member: str, within: str) -> Any:
    module, _, attribute = member.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    around = typer.Typer(**STYLE)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
    else:
        around.command(name)(found)
    show_examples(around, within)
    return get_group(around).commands[name]
