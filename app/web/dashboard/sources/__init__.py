"""Pages about repositories: where each stands, its commits, what may be done about it.

May live here: pages of sources, and what is told of the commit in force.
"""
