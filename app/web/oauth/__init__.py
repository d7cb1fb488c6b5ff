"""OAuth for clients of ours: tokens, and what is published about them.

May live here: the token endpoint, how its requests are read, and public keys.
"""
