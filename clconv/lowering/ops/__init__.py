"""How a device computes each operator: one folder or file an operator."""
