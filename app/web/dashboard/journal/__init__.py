"""Pages about what hooks did: invocations, log lines, figures.

May live here: pages of the journal, and the filters that they share.
"""
