"""Auth0's Management API v2, as far as hooks need it: what its clients send, and what they expect.

May live here: the operations below ``/api/v2``, how their bodies are read and their errors written.
What a hook is and what may be done to it is said by the use cases, not here.
"""
