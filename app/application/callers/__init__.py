"""Who calls: clients and people, how they come in, and what is known of their requests.

May live here: use cases about credentials, tokens and sign-in, and what they need of outside.
"""
