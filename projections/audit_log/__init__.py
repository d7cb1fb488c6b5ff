"""Every event as a row for people, found by any filters and words in a bounded time.

May live here: the translation of events into rows, the marks and words by which rows are found, and
the questions to them.
"""
