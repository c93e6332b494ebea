"""What spectral operators mean: shape rule, reference, cost and hooks."""
