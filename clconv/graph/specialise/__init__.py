"""A graph for known input sizes: control flow and sequences settled, shapes folded."""
