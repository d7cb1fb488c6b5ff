"""Proofs that nobody has changed what was recorded.

May live here: arithmetic over Merkle trees and the formats that carry it.
"""
