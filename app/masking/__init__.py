"""Keeping secret values out of what leaves: log lines, error messages, recorded results.

May live here: how values are written, and how they are found and replaced. Knows no word of the
domain and none of the other rooms.
"""
