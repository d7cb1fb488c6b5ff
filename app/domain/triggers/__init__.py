"""Named places to call hooks at: what goes in, what comes out, and what of it takes effect.

May live here: Auth0's extensibility points, triggers that a repository defines, and their promises
to callers.
"""
