"""HTTP: routes, authentication, and one module for each group of endpoints.

May live here: the only code that imports Starlette. An endpoint parses, calls a use case or a read
view, and answers; it decides nothing.
"""
