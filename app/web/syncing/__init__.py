"""Sources over HTTP: where they stand, what may be done about them, commits, notices of forges.

May live here: endpoints about repositories, and how sources and plans are shown.
"""
