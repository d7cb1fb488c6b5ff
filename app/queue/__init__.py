"""Durable delivery for non-blocking triggers: stored before the caller is answered, retried after."""
