"""Pages about what has happened: events, the hooks as they were, proof.

May live here: pages of the history, and how time is drawn.
"""
