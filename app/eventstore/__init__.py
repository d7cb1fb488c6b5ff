"""Where events are kept: one module per database, and the mapper from topics to classes.

May live here: recorders, table definitions and connection settings of the append-only store.
What the events mean is the domain's business; what is read from them is that of ``projections``.
"""
