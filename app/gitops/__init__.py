"""The git repository: reading commits safely and noticing new ones.

May live here: everything that runs git or reads its objects, and the formats hooks are written in.
A repository is hostile data: nothing in it may run, and nothing in it is trusted before it was
checked.
"""
