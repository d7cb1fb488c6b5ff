"""What every endpoint is made of: operations, parameters, bodies, formats, errors, limits.

May live here: what knows of HTTP and of no route.
"""
