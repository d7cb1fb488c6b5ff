"""Scripts and styles as they were built: compressed, under names that change with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_log = logging.getLogger("hookledger.web")

BUILT = Path(__file__).parents[1] / "static"
PLACE = "/static/"

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_CODINGS = (("br", ".br"), ("gzip", ".gz"))
_KEEP = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files of one build."""

    names: Mapping[str, str]
    """From the name of a source to that of its file."""
    files: Mapping[str, bytes]

    @property
    def built(self) -> bool:
        return bool(self.names)

    def address(self, source: str) -> str:
        """Return where a source's file is served."""
        return f"{PLACE}{self.names.get(source, source)}"

    def answer(self, name: str, headers: Headers) -> Response | None:
        """Answer a file, compressed if the browser likes; None if there is none."""
        media_type = _TYPES.get(Path(name).suffix)
        if media_type is None or name not in self.files:
            return None
        accepted = {
            part.split(";")[0].strip() for part in headers.get("accept-encoding", "").split(",")
        }
        for coding, ending in _CODINGS:
            if coding in accepted and name + ending in self.files:
                kept = _KEEP | {"content-encoding": coding}
                return Response(self.files[name + ending], 200, kept, media_type)
        return Response(self.files[name], 200, _KEEP, media_type)


class AssetFiles:
    """The files as an ASGI application."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._assets.answer(scope["path_params"]["name"], Headers(scope=scope))
        if found is None or scope["method"] not in ("GET", "HEAD"):
            found = Response("There is no such file.\n", 404, media_type="text/plain")
        await found(scope, receive, send)


def load_assets(folder: Path = BUILT) -> Assets:
    """Read what was built; without a build pages work, unstyled, and say what to do."""
    try:
        names = orjson.loads((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        _log.warning("dashboard_not_built", extra={"remedy": "run `make setup`"})
        return Assets({}, {})
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return Assets(names, files)
