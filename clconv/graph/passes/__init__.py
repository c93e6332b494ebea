"""Graph -> Graph functions, one a file, and the order they run in."""
