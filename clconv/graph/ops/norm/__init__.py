"""What norm operators mean: shape rule, reference, cost and hooks."""
