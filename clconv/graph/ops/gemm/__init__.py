"""What gemm operators mean: shape rule, reference, cost and hooks."""
