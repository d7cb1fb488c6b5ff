"""Read side: what is derived from the events, and can be thrown away and rebuilt from position 1.

May live here: folds from events to rows, one view per database behind one abstract view, and the
follower that feeds them. May be imported: ``app.domain``, ``app.application.ports`` and ``.views``.
"""
