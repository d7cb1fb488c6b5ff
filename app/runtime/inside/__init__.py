"""What runs in worker processes: nothing here may know, or import, anything of the server.

May live here: users of the standard library and ``orjson`` alone, since these modules are loaded
by a clean interpreter that then gives up every right it has. ``protocol`` is spoken on both sides;
the server imports it from here, never the reverse.
"""
