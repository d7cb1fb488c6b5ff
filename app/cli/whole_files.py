"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import Rejected, Stalled


@contextlib.contextmanager
def whole_file(file: Path, *, replacing: bool) -> Iterator[BinaryIO]:
    """Open a file that takes its place at the end of the block, readable by its owner only.

    Raises ``Rejected`` if it is there and is not to be replaced, ``Stalled`` if it cannot be
    written. Whatever ends the block early leaves nothing, and what was there as it was.
    """
    if not replacing and file.exists():
        raise _there(file)
    try:
        descriptor, name = tempfile.mkstemp(".partial", f"{file.name}.", file.parent)
        partial = Path(name)
        try:
            with open(descriptor, "wb") as opened:  # noqa: PTH123 (a descriptor, not a path)
                yield opened
            if replacing:
                partial.replace(file)
            else:
                os.link(partial, file)
        finally:
            partial.unlink(missing_ok=True)
    except FileExistsError:
        raise _there(file) from None
    except OSError as error:
        raise Stalled(f"{file} cannot be written: {error.strerror}.") from error


def _there(file: Path) -> Rejected:
    return Rejected(f"{file} exists already; nothing was written.")
