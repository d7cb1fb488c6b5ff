"""Installs packages of hooks: a cache of read-only folders, and pip and npm on a short leash.

Here may live what fetches and keeps packages. What a worker does with them is not this package's.
"""
