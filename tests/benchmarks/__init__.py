"""Measurements: each compares with a floor or a peer in the same run, and prints ratios.

``make bench`` runs all of them and writes ``docs/benchmarks.md``. Nothing here is a test: machines
are noisy, so no figure fails a build.
"""
