"""What conv operators mean: shape rule, reference, cost and hooks."""
