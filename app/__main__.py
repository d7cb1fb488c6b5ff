"""``python -m app`` is the ``hookledger`` command."""

from app.cli.main import main

main()
