"""What is true: aggregates, their events, value types and pure decisions.

May live here: functions and types that need no I/O, clock, randomness, logging or event loop.
May be imported: the standard library's pure parts, ``eventsourcing.domain`` and this package.
"""
