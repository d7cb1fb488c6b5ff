"""An example or two for each command, shown at the end of its help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import typer
from typer.main import get_command_name
from typer.models import CommandInfo

_HOOK = "hooks_repo/hooks/pre-user-registration/block-disposable-mail"

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "serve": ("serve --quickstart", "serve --port 9090 --local-tls"),
    "plan": ("plan", "plan my-branch --json"),
    "test": ("test hooks_repo", "test hooks_repo --junit results.xml"),
    "run": (f"run pre-user-registration {_HOOK}/hook.py", "run block-disposable-mail --saved"),
    "invoke": ("invoke pre-user-registration", "invoke send-phone-message --payload call.json"),
    "diff": ("diff 4be1c0d", "diff 2026-11-01T00:00:00Z 2026-11-08T00:00:00Z"),
    "logs": ("logs --hook block-disposable-mail", "logs --follow --level error"),
    "export": ("export --output hooks", "export --output hooks.zip --format auth0-yaml"),
    "migrate": ("migrate auth0-export --output moved",),
    "rebuild": ("rebuild",),
    "doctor": ("doctor --strict",),
    "backup": ("backup /backup/2026-11-23", "backup --vault /elsewhere/2026-11-23"),
    "restore": ("restore /backup/2026-11-23",),
    "sync status": ("sync status",),
    "sync suspend": ('sync suspend --reason "incident 4711" --until 2h',),
    "sync resume": ('sync resume --reason "over"',),
    "sync approve": ('sync approve 5e82… --reason "agreed"',),
    "sync rollback": ('sync rollback 4be1c0d --reason "registrations fail"',),
    "hooks list": ("hooks list", "hooks list --as-of 2026-11-01T00:00:00Z"),
    "hooks show": ("hooks show block-disposable-mail",),
    "hooks history": ("hooks history block-disposable-mail",),
    "hooks edit": ('hooks edit block-disposable-mail --message "Refuse one more domain"',),
    "hooks enable": ('hooks enable block-disposable-mail --reason "fixed"',),
    "hooks disable": ('hooks disable block-disposable-mail --reason "too strict" --until 2h',),
    "secrets seal": (f"secrets seal {_HOOK} --set API_KEY",),
    "secrets set": ("secrets set block-disposable-mail API_KEY < key.txt",),
    "secrets list": ("secrets list block-disposable-mail",),
    "secrets rm": ("secrets rm block-disposable-mail API_KEY",),
    "audit query": ("audit query --hook block-disposable-mail --since 2026-10-01",),
    "audit counts": ("audit counts --by day",),
    "audit export": ("audit export october.ndjson --since 2026-10-01 --until 2026-11-01",),
    "audit verify": ("audit verify",),
    "audit verify-bundle": ("audit verify-bundle evidence.json",),
    "audit access": ("audit access",),
    "invocations list": ("invocations list --kind errored --since 2026-11-23",),
    "invocations show": ("invocations show 01KAQJ5B0N8W3X4Y5Z6A7B8C9D",),
    "invocations stats": ("invocations stats --hook block-disposable-mail",),
    "clients create": ('clients create "sign-up service" --scope invoke:triggers',),
    "clients list": ("clients list",),
    "clients revoke": ("clients revoke 01KAQH9Z7K2M4N6P8Q0R1S3T5V",),
    "sessions link": ("sessions link",),
    "sessions list": ("sessions list",),
    "sessions end": ("sessions end 01KAQH9Z7K2M4N6P8Q0R1S3T5V",),
    "queue list": ("queue list",),
    "queue redrive": ("queue redrive 01KAQJ5B0N8W3X4Y5Z6A7B8C9D",),
    "queue discard": ("queue discard 01KAQJ5B0N8W3X4Y5Z6A7B8C9D",),
    "keys list": ("keys list",),
    "keys age": ("keys age",),
    "keys rotate": ("keys rotate", "keys rotate age"),
    "keys retire": ("keys retire mk-c30ad956c082643a",),
    "keys signing": ("keys signing",),
    "keys rotate-signing": ("keys rotate-signing", "keys rotate-signing --withdraw"),
    "keys checkpoint": ("keys checkpoint",),
    "keys rotate-checkpoint": ("keys rotate-checkpoint",),
}


def show_examples(cli: typer.Typer, within: str) -> None:
    """Put the examples below the help of each command of ``cli`` and of its groups.

    ``within`` are the words that stand before these commands, each with a blank behind it.
    """
    for path, command in _commands(cli, within):
        shown = "\n".join(f"  hookledger {line}" for line in EXAMPLES.get(path, ()))
        command.epilog = f"\b\nExamples:\n{shown}" if shown else None


def _commands(cli: typer.Typer, prefix: str) -> Iterator[tuple[str, CommandInfo]]:
    for command in cli.registered_commands:
        named = command.name or get_command_name(command.callback.__name__)  # type: ignore[union-attr]
        yield prefix + named, command
    for group in cli.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance, f"{prefix}{group.name} ")
