"""A system call filter, assembled by hand: 25 lines replace a C library that slim images lack.

Format of the program: seccomp(2), ``linux/filter.h``; ``struct seccomp_data`` is
``{int nr; u32 arch; u64 ip; u64 args[6]}``.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Sequence

from app.runtime.inside import kernel
from app.runtime.inside.syscall_table import RULES, Condition, Rule

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x4000_0000
"""On x86_64, calls from here on are those of the x32 interface, with rules of their own."""

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000
EPERM = 1

_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_SET_MODE_FILTER = 1


def assemble(architecture: str, rules: Sequence[Rule] = RULES) -> list[Instruction]:
    """Return the filter's program; ``architecture`` is a key of ``AUDIT_ARCH``."""
    program: list[Instruction] = [
        (LOAD, 0, 0, _ARCH_OFFSET),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[architecture]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, _NUMBER_OFFSET),
    ]
    if architecture == "x86_64":
        program += [(JUMP_GREATER_EQUAL, 0, 1, X32_BIT), (RETURN, 0, 0, KILL_PROCESS)]
    for rule in rules:
        number = rule.number(architecture)
        if number is not None:
            body = list(_verdict(rule))
            program += [(JUMP_EQUAL, 0, len(body), number), *body]
    return [*program, (RETURN, 0, 0, ERRNO | EPERM)]


def encode(program: list[Instruction]) -> bytes:
    """Pack instructions as ``struct sock_filter[]``."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def install(encoded: bytes) -> None:
    """Filter this thread's calls from now on; it must be the only one, without new privileges."""
    code = ctypes.create_string_buffer(encoded, len(encoded))
    # struct sock_fprog {u16 length; pointer}, padded to the pointer's alignment.
    description = struct.pack("<H6xQ", len(encoded) // 8, ctypes.addressof(code))
    kernel.syscall(kernel.SECCOMP[kernel.architecture()], _SET_MODE_FILTER, 0, description)


def _verdict(rule: Rule) -> Iterator[Instruction]:
    if rule.refused_as:
        yield (RETURN, 0, 0, ERRNO | rule.refused_as)
        return
    for condition in rule.conditions:
        yield from _test(condition)
    yield (RETURN, 0, 0, ALLOW)


def _test(condition: Condition) -> Iterator[Instruction]:
    """Fall through when the condition holds; else refuse on the spot."""
    refuse = (RETURN, 0, 0, ERRNO | EPERM)
    low = _ARGUMENTS_OFFSET + 8 * condition.argument
    yield (LOAD, 0, 0, low)
    if condition.kind == "null":
        # Pointers have 64 bits; a filter compares 32 at a time.
        yield from ((JUMP_EQUAL, 1, 0, 0), refuse)
        yield from ((LOAD, 0, 0, low + 4), (JUMP_EQUAL, 1, 0, 0), refuse)
    elif condition.kind == "any-bit":
        yield from ((JUMP_BITS, 1, 0, condition.values[0]), refuse)
    elif condition.kind == "no-bit":
        yield from ((JUMP_BITS, 0, 1, condition.values[0]), refuse)
    else:
        count = len(condition.values)
        for index, value in enumerate(condition.values):
            yield (JUMP_EQUAL, count - index, 0, value)
        yield refuse
