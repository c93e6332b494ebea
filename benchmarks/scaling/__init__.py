"""How the persistent launch scales with the number of cores: its work queue simulated, fed with measured times."""
