"""What people change beside git: hooks that no source owns, secrets, what is enabled.

May live here: commands on hooks; none knows a repository.
"""
