"""Session: a network on a device, with its plans by input size."""
