"""``hookledger secrets seal``: values encrypted for the server, to be committed with their hook."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer

from app.cli.connection import TIMEOUT_SECONDS, UrlOption
from app.cli.output import console
from app.cli.trust import CaFile, trusted
from app.domain.documents.toml_documents import TomlDocument
from app.domain.errors import NotFound, Problem, Rejected, Transient
from app.domain.hooks.names import check_name
from app.domain.hooks.secrets import check_secrets
from app.domain.manifests.manifest import MANIFEST
from app.domain.manifests.sealed_files import MAX_SEALED_BYTES, SEALED_FILE, parts_of
from app.vault.age import seal_to


def seal(
    path: Annotated[Path, typer.Argument(help="Folder of the hook: the one with a hook.toml.")],
    *,
    names: Annotated[
        list[str] | None,
        typer.Option("--set", help="Name of a secret; its value is asked for. Repeatable."),
    ] = None,
    from_files: Annotated[
        list[str] | None,
        typer.Option(
            "--from-file", help="NAME=FILE: take the value from a file, - for standard input."
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Begin the file anew instead of adding to what it holds."),
    ] = False,
    recipient: Annotated[
        str,
        typer.Option(help="The server's public key (age1...), instead of asking the server."),
    ] = "",
    url: UrlOption,
    ca_file: CaFile = None,
) -> None:
    """Seal values for the server, and write them to `secrets.age` beside the hook's manifest.

    Only the server can read them, and only for this hook. Values are asked for, or read from
    files; they are never arguments, which other users of the machine could see. Commit the file.
    """
    hook = _hook_name(path)
    values = _values(names or [], from_files or [])
    plain = json.dumps({"hook": hook, "secrets": values}).encode()
    file = path / SEALED_FILE
    before = file.read_bytes() if file.exists() and not replace else b""
    if before:
        parts_of(str(file), before)
    recipient = recipient or _recipient(url, ca_file)
    sealed = (
        before.rstrip() + b"\n" + seal_to(recipient, plain) if before else seal_to(recipient, plain)
    )
    if len(sealed) > MAX_SEALED_BYTES or (before and not before.startswith(b"-----BEGIN")):
        raise Rejected(f"{file} cannot be added to; seal all its values anew with --replace.")
    file.write_bytes(sealed)
    listed = ", ".join(f"`{name}`" for name in values)
    console.print(
        f"{listed} of `{hook}` sealed to {recipient} in {file}; commit it.",
        markup=False,
        soft_wrap=True,
    )


def _hook_name(path: Path) -> str:
    manifest = path / MANIFEST
    if not manifest.is_file():
        raise NotFound(f"{path} holds no {MANIFEST}; give the folder of a hook.")
    name = TomlDocument.parse(str(manifest), manifest.read_bytes()).members.get(
        "name", path.resolve().name
    )
    return check_name(str(name))


def _values(names: list[str], from_files: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for given in from_files:
        name, separator, file = given.partition("=")
        if not separator:
            raise Rejected("Write --from-file as NAME=FILE.")
        values[name] = _read(file)
    for name in names:
        if "=" in name:
            raise Rejected(
                "A value must not be an argument, which other users of this machine can see: give "
                "--set NAME alone, and treat this value as leaked."
            )
        values[name] = typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
    if not values:
        raise Rejected(
            "There is nothing to seal: give --set NAME or --from-file NAME=FILE.",
            problems=[Problem("missing", key="--set")],
        )
    check_secrets(values)
    return values


def _read(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Rejected(f"{file} cannot be read: {why}.") from None
    return text.removesuffix("\n")


def _recipient(url: str, ca_file: Path | None) -> str:
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/v1/keys/age", timeout=TIMEOUT_SECONDS, verify=trusted(ca_file)
        )
        answer.raise_for_status()
        return str(answer.json()["recipient"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Transient(
            f"{url} did not tell its public key: {error}. Is `hookledger serve` running? "
            "Or give the key by --recipient."
        ) from None
