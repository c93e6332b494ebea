"""Everything kept on disk: written beside and renamed, checked when read, and read only if nobody else could write it."""
