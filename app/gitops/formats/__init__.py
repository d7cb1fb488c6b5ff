"""How hooks are written down in a repository: one module a format, files in, manifests out."""
