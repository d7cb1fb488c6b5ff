"""The dashboard: pages for people, made on the server, over the same use cases as the API.

May live here: one module for each page (what it shows, what its forms do), ``templates/`` (Jinja2,
escaping everything), ``frontend/`` (scripts and styles, which `make setup` builds into ``static/``)
and what all pages share. Like an endpoint, a page parses, asks or commands, and answers; it decides
nothing. docs/dashboard.md says how a page is added.
"""
