"""Learning: losses, optimisers, the graph of one step, and the Trainer."""
