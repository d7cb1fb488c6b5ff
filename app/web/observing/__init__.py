"""What runs of hooks left behind, and leave behind right now: records, figures, lines.

May live here: endpoints that read the journal or follow it.
"""
