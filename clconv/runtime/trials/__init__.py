"""What another process compiles and launches first, because it may end that process."""
