"""Fakes of the ports that the web meets, written by hand; what they were asked is public.

May live here: one module for each kind of port. What puts them together is ``tests.unit.web.site``.
"""

from datetime import UTC, datetime

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PRE = "pre-user-registration"
