"""Execution records and log lines: written in batches off the hot path, queried, expired.

An execution is not an event: it changes nothing that is true, so it may be forgotten.
"""
