"""`clconv serve`: a model as a web service."""
