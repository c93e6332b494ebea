"""Parts of the benchmark networks."""
