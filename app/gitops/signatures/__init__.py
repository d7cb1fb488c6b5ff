"""Who vouches for a commit: signatures judged by keys that the operator configured.

May live here: the only code beside ``app.vault`` that imports ``cryptography``, and the only one
that runs ``gpg``. What a repository says of keys, in its files or its configuration, never counts.
"""
