"""What a worker goes through, and how long it may take."""

from __future__ import annotations

import enum

LOAD_SECONDS = 10.0
"""How long a worker may take to be ready, the top level of its script included."""

EXIT_SECONDS = 0.25
"""How long a worker that closed its connection may take to end before it is killed for it."""


class State(enum.Enum):
    """Where in its life a worker is."""

    STARTING = enum.auto()
    LOADING = enum.auto()
    READY = enum.auto()
    ENDED = enum.auto()
