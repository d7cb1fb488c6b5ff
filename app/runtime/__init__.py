"""Isolated execution: hooks run here, each version in processes of its own.

May live here: the server's side (``runner``, ``pool``, ``workers``, ``launcher``, ``doctor`` and
what they import). What runs in the worker processes themselves is in ``inside``.
"""
