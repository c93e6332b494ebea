"""What reduce operators mean: shape rule, reference, cost and hooks."""
