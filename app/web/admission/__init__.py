"""What a request passes on its way in and out, whatever it asks: who calls, and whether it may.

May live here: the exchange of requests for answers around an endpoint; no endpoint but the one that
shows who was refused.
"""
