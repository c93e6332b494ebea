"""What movement operators mean: shape rule, reference, cost and hooks."""
