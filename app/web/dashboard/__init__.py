"""The dashboard: pages for people, made on the server, over the same use cases as the API.

May live here: a room for each kind of page, one module a page (what it shows, what its forms do),
``frame`` for what all pages share, ``templates/`` (Jinja2, escaping everything) and ``frontend/``
(scripts and styles, which `make setup` builds into ``static/``). Like an endpoint, a page parses,
asks or commands, and answers; it decides nothing. docs/dashboard.md says how a page is added.
"""
