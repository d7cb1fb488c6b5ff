"""A hook from its first commit to its last: script, settings, name, secrets.

May live here: the aggregates that are about one hook, and what they hold.
"""
