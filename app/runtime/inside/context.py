"""The ``context`` a hook is given: the payload's member, and what the platform adds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.runtime.inside.http_client import Http


class HookContext(dict[str, Any]):
    """The payload's ``context``, by item or by attribute, plus the platform's attributes.

    Attributes of the platform win over members of the same name, which stay reachable as items.
    """

    def __init__(
        self,
        members: Mapping[str, Any],
        *,
        secrets: Mapping[str, str],
        log: logging.Logger,
        http: Http,
        invocation_id: str,
        ends_at: float,
    ) -> None:
        super().__init__(members)
        self.secrets = secrets
        self.log = log
        self.http = http
        self.invocation_id = invocation_id
        self._ends_at = ends_at

    @property
    def deadline(self) -> datetime:
        """When the hook is killed, if it still runs; in UTC."""
        return datetime.fromtimestamp(self._ends_at, UTC)

    def __getattr__(self, name: str) -> Any:
        """Return a member of the payload's context."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"context has no member {name!r}; it has: {', '.join(map(str, self)) or 'none'}",
                name=name,
                obj=self,
            ) from None

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Have copies be plain objects: the platform's part is neither copied nor compared."""
        return dict, (dict(self),)
