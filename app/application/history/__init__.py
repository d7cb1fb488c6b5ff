"""What was: proofs that nobody changed it, and looks back at any moment.

May live here: use cases that read or vouch for stored events; none changes anything.
"""
