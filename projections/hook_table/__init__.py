"""Which hooks are active, now and at any past moment: a fold over the events.

May live here: the fold with a module of steps for each kind of stream, the table in memory and as
stored rows, and its past.
"""
