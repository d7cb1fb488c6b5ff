"""Reading SSH's binary encoding (RFC 4251, section 5): lengths in four bytes, then contents."""

from __future__ import annotations

from dataclasses import dataclass

_LENGTH = 4


class Malformed(Exception):
    """Bytes are not in the form that they claim."""


@dataclass(slots=True)
class Reader:
    """Takes values off the front of some bytes; every method raises ``Malformed``."""

    left: bytes

    def take(self, count: int) -> bytes:
        if count > len(self.left):
            raise Malformed
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self) -> int:
        """Read a ``uint32``."""
        return int.from_bytes(self.take(_LENGTH), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError:
            raise Malformed from None

    def integer(self) -> int:
        """Read an ``mpint`` that is not negative."""
        value = int.from_bytes(self.string(), "big", signed=True)
        if value < 0:
            raise Malformed
        return value

    def end(self) -> None:
        """Refuse what is left: two readers might disagree on what it means."""
        if self.left:
            raise Malformed


def string(value: bytes) -> bytes:
    """Write a string."""
    return len(value).to_bytes(_LENGTH, "big") + value
