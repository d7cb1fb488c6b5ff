"""Pages about who may come in: signing in and out, sessions, clients.

May live here: pages of people and programs.
"""
