"""Pictures of networks: of their graphs, and of what is inside."""
