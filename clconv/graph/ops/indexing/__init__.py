"""What indexing operators mean: shape rule, reference, cost and hooks."""
