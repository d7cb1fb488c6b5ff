"""The past over HTTP: the audit log, comparisons, proofs, verification.

May live here: endpoints that read or vouch for what has happened, and how events are shown.
"""
