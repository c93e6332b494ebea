"""What several operators' lowerings use."""
