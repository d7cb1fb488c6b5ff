"""Keys and encryption: master keys, sealed secret values, signed access tokens.

May live here: the only code that imports ``cryptography`` and ``joserfc``. Plain values enter and
leave through ``sealing`` alone, and are never logged, stored or put into an error.
"""
