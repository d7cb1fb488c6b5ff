"""What may be asked: one use case a module, the ports they need, and the ledger.

May live here: use cases (``reconcile``, ``invoke``, ``manage_*``), the ``ports`` that adapters
implement, the row types of ``views``, and ``ledger``, the only caller of ``save``.
May be imported: ``app.domain`` and ``app.telemetry``; never an adapter.
"""
