"""The only place that chooses variants and layouts."""
