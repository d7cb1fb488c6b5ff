"""How commands write files of their own: never over what is there, unless told to."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from app.domain.errors import Rejected

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Time of entries in archives, so that the same files give the same archive."""


def write_files(output: Path, files: Mapping[str, bytes], *, force: bool = False) -> list[str]:
    """Write files below ``output``, or into it if it ends in ``.zip``; return what else is there.

    Raises ``Rejected`` if there is something already and ``force`` does not say to replace it, or
    where writing failed. What ``files`` does not name is never touched.
    """
    try:
        if output.suffix == ".zip":
            _write_archive(output, files, force=force)
            return []
        others = _others(output, files)
        if not force and output.exists() and any(output.iterdir()):
            raise Rejected(f"{output} is not empty. Choose another folder.")
        for place, content in files.items():
            _write(output, place, content)
    except OSError as error:
        raise Rejected(f"{output} cannot be written: {error.strerror}.") from error
    return others


def _write(root: Path, place: str, content: bytes) -> None:
    file = root / place
    if not file.resolve().is_relative_to(root.resolve()) or file.is_symlink():
        raise Rejected(f"{file} is or goes through a symbolic link; it is not written.")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)


def _others(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """Name what stands in the folders that are written to, and is not replaced."""
    folders = {str(Path(place).parts[0]) for place in files if "/" in place}
    return sorted(
        place
        for folder in folders
        for file in (root / folder).rglob("*")
        if file.is_file() and (place := file.relative_to(root).as_posix()) not in files
    )


def _write_archive(output: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    if output.exists() and not force:
        raise Rejected(f"{output} exists. Choose another name.")
    partial = output.with_name(f".{output.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files.items():
            entry = zipfile.ZipInfo(place, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    partial.replace(output)
