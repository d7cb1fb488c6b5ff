"""HTTP: a room for each subject of endpoints, and what is served of them.

May live here: the only code that imports Starlette; beside the rooms the application itself
(``routes``, ``edge``, ``lane``, ``openapi``) and the operations of those who run it. An endpoint
parses, calls a use case or a read view, and answers; it decides nothing. ``protocol`` and
``admission`` serve all rooms and know none of them.
"""
