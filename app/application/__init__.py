"""What may be asked: a room for each subject, one use case a module.

May live here, beside the rooms, what they share: the ``ports`` that adapters implement, the row
types of ``views`` and ``journal_views``, and ``ledger``, the only caller of ``save``.
May be imported: ``app.domain`` and ``app.telemetry``; never an adapter. ``invoking`` serves the
other rooms; these know nothing of each other.
"""
