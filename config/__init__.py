"""Settings: the only reader of the environment, with every default documented in place."""
