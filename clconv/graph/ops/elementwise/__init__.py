"""What elementwise operators mean: shape rule, reference, cost and hooks."""
