"""Durable delivery for non-blocking triggers: stored before the caller is answered, retried later.

May live here: the queue's file, the consumer that runs what is due, and the dead letters.
"""
