"""Triggers and the hooks that answer them: what there is, invoking, trying out.

May live here: endpoints that tell of hooks or run them.
"""
