"""What `clconv show` prints."""
