"""`clconv profile` and `clconv bench`: where a network's time goes, and how long whole runs take."""
