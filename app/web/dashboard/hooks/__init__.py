"""Pages about hooks and their secrets: what runs, writing it, trying it, steering it.

May live here: pages, and what they share about the files of a hook.
"""
