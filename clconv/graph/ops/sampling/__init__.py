"""What sampling operators mean: shape rule, reference, cost and hooks."""
