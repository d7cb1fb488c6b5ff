"""What to confine workers by, and what they may see: decided by the server, done by the zygote."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass

from app.runtime.inside import trust
from app.runtime.inside.node_program import CODE, NodeProgram
from app.runtime.inside.profiles import Layers, Profile, node_profile, python_profile
from app.runtime.inside.worker import Worker

LIBRARIES = (
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libz.so.1",
    "libexpat.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
)
"""What native code in packages may be linked with: PEP 600's list, less what draws on a screen."""

ZONES = ("/usr/share/zoneinfo",)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to confine workers by; the layers were found out before by trying them."""

    namespaces: tuple[str, ...]
    landlock: bool
    seccomp: bool
    node: NodeProgram | None = None
    """What Node.js workers become; None: there are none."""
    packages_root: str | None = None
    """Folder below which packages are; each worker reads at most one folder in it."""

    @classmethod
    def read(cls, text: str) -> Plan:
        """Read what ``json.dumps(asdict(plan))`` wrote."""
        given = json.loads(text)
        given["namespaces"] = tuple(given["namespaces"])
        if (node := given["node"]) is not None:
            given["node"] = NodeProgram(**node | {"libraries": tuple(node["libraries"])})
        return cls(**given)

    def readable(self) -> list[str]:
        """List all that some worker may read."""
        node = [] if self.node is None else [CODE, *self.node.executables]
        packages = [] if self.packages_root is None else [self.packages_root]
        return [*readable_paths(), *node, *packages]

    def profiles(self, forked: Worker) -> dict[str, Profile]:
        """Make the profile of each language; ``forked`` is what Python workers are copies of."""
        layers = Layers(landlock=self.landlock, seccomp=self.seccomp)
        made = {"python": python_profile(layers, readable_paths(), forked)}
        if self.node is not None:
            made["node"] = node_profile(layers, self.node)
        return made


def readable_paths() -> list[str]:
    """List what workers may read: the standard library, time zones, and whom to trust for TLS."""
    wanted = (*sys.path, *ZONES, trust.bundle() or "")
    folders = [path for path in wanted if os.path.exists(path)]  # noqa: PTH110 (before anything else may be imported)
    return [
        path
        for path in folders
        if not any(path.startswith(f"{other}/") for other in folders if other != path)
    ]
