"""Fakes that tests of several rooms share; those of one room stand beside its tests."""
