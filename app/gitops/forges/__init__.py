"""What is told to the forge that hosts a source: the state of each commit.

May live here: the outbox, which survives restarts, and the forges' own ways of being told. Nothing
here is waited for by a sync.
"""
