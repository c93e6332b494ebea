"""A step of training: networks, and one process for each side."""
