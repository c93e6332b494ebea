"""`clconv tune`: see command.py."""
