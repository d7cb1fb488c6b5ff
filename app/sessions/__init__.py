"""Sessions at the dashboard, kept in a file of their own.

May live here: the adapter of the port ``SessionStore``. Losing the file signs everybody out and
loses nothing else, so it is neither an event nor part of a backup.
"""
