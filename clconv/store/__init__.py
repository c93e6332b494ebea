"""Everything kept on disk: written atomically (renamed into place), checked when read, and read only if no other user
could have written it."""
