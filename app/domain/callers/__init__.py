"""Who may ask for what: clients, people, and the tokens they come with.

May live here: identities, roles, scopes and what they grant; no endpoint, no key.
"""
