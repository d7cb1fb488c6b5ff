"""From commits to what is in force: read, try, plan, guard, apply, watch, go back.

May live here: use cases about sources and their commits, and what these share.
"""
