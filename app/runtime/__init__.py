"""Isolated execution: hooks run here, each version in processes of its own.

May live here: the worker side (``zygote``, ``sandbox``, ``worker``, ``protocol``: standard library
only, since they run where nothing may be trusted) and the server side (``pool``, ``runner``, ``doctor``).
"""
