"""What pool operators mean: shape rule, reference, cost and hooks."""
