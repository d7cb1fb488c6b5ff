"""Followed repositories: what of them is in force, and what may become so by itself.

May live here: the aggregates of sources and syncs, what guards them, and what forges say of them.
"""
