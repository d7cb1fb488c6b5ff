"""The Merkle tree over all stored events.

May live here: the tree as stored tiles, and what reads it; the arithmetic is
``app.domain.history``'s.
"""
