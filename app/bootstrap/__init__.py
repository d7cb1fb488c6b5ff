"""Composition root: Settings in, a running system and its lifespan out.

May live here: the wiring of adapters to use cases, each part opened and closed by a context
manager, smallest first: ``storage`` (ledger, projections, vault), ``engine`` (storage and what
runs hooks), ``server`` (engine and HTTP). Nothing here decides anything about hooks.
"""
