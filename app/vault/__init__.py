"""Keys and encryption: the master key ring and the sealing of secret values.

May live here: the only code that imports ``cryptography``. Plain values enter and leave through
``sealing`` alone, and are never logged, stored or put into an error.
"""
