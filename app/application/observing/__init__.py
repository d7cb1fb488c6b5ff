"""What happens now: following the journal as it grows.

May live here: how many readers, fast and slow, are told of what is stored.
"""
