"""Running hooks: for whoever asks a trigger, for a draft, and for the fixtures of a revision.

May live here: use cases that run hooks, and what a run needs and leaves behind.
"""
