"""The way out of hooks that may reach the network: a proxy that knows what each of them may reach.

May live here: what is allowed (``policy``, ``addresses``), what proxies are asked (``requests``),
and the connections themselves. Nothing here knows pools or the web.
"""
