"""What a commit would change, as a value that is decided before anything is changed.

May live here: the two sides that are compared, the comparison, and how people read it.
"""
