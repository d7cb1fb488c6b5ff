"""How a plan is printed: what changes, line by line, and what somebody has to see to first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from app.cli.output import console, print_table, printable

_STYLES = {
    "create": "green",
    "enable": "green",
    "define": "green",
    "update": "yellow",
    "disable": "yellow",
    "retire": "red",
    "undefine": "red",
}
_LINE_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def print_preview(planned: Mapping[str, Any]) -> None:
    """Print a plan as ``app.web.syncing.members.preview_members`` has it."""
    console.print(f"Plan {planned['digest'][:12]} for commit {planned['commit'][:12]}:")
    print_changes(planned["changes"])
    for diff in planned["diffs"]:
        _print_diff(diff)
    _print_section(
        "Guards would hold it until somebody approves it:",
        "yellow",
        [hold["message"] for hold in planned["holds"]],
    )
    _print_section(
        "Secrets that nobody has set:",
        "red",
        [f"{each['name']} of {each['hook']}" for each in planned["missing_secrets"]],
    )
    _print_section(
        "Packages to be installed first:",
        "cyan",
        [f"{each['name']} {each['version']} for {each['hook']}" for each in planned["to_install"]],
    )
    _print_section(
        "Fixtures not run, since their packages are not installed here:",
        "yellow",
        planned["untested"],
    )
    _print_section("Gone from git, but kept by `prune = false`:", "yellow", planned["kept"])


def print_changes(changes: Sequence[Mapping[str, Any]]) -> None:
    """Print one line a change, in the order in which they are made."""
    print_table(
        ("CHANGE", "HOOK", "TRIGGER", "WHAT", "FOLDER"),
        [
            (
                Text(each["kind"], style=_STYLES.get(each["kind"], "")),
                each["name"],
                each["trigger"],
                ", ".join(each.get("fields", ())),
                each.get("path"),
            )
            for each in changes
        ],
        empty="Nothing would change.",
    )


def _print_diff(diff: Mapping[str, Any]) -> None:
    if diff["kind"] == "retire":
        return
    console.print()
    console.print(Text(f"{diff['kind']} {diff['hook']}", style="bold"))
    for field in diff["fields"]:
        before, after = field["before"], field["after"]
        line = Text(f"  {field['name']}: ")
        if before is not None:
            line.append(_value(before), style="red")
            line.append(" → ")
        line.append("removed" if after is None else _value(after), style="green")
        console.print(line, soft_wrap=True)
    for place in diff["network_added"]:
        console.print(Text(f"  may call {printable(place)} from then on", style="bold red"))
    for place in diff["network_removed"]:
        console.print(Text(f"  may no longer call {printable(place)}", style="dim"))
    for line_of_script in printable(diff["script"]).split("\n"):
        style = next((s for mark, s in _LINE_STYLES if line_of_script.startswith(mark)), "")
        console.print(Text(f"  {line_of_script}", style=style), soft_wrap=True)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(printable(str(each)) for each in value) or "none"
    return printable(str(value))


def _print_section(title: str, style: str, lines: Sequence[str]) -> None:
    if lines:
        console.print()
        console.print(Text(title, style=f"bold {style}"))
        for line in lines:
            console.print(Text(f"  {printable(line)}"), soft_wrap=True)
