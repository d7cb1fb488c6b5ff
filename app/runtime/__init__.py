"""Isolated execution: hooks run here, each version in processes of its own.

May live here: the worker side (``zygote``, ``sandbox``, ``worker``, ``protocol`` and what they
import: standard library and orjson only, since they run where nothing may be trusted) and the
server side (``pool``, ``runner``, ``doctor`` and what they import).
"""
