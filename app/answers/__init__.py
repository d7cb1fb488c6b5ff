"""Answers that may be asked for again, kept in a file of their own.

May live here: the adapter of the port ``AnswerStore``. Losing the file means that a repeated
request is carried out anew, by the rules of the domain: it is no event and in no backup.
"""
