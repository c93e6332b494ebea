"""What quantised operators mean: shape rule, reference, cost and hooks."""
