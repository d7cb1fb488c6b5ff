"""The command line: one module for each group of commands, named in ``main``, loaded on demand.

May live here: parsing of arguments, calls of use cases, and printing. Tables for people, ``--json``
for programs; progress bars on long work. What a command does is decided below.
"""
