"""How hooks are written down: one module a format, files in, hooks out; and hooks in, files out."""
