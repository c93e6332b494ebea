"""What `clconv run` is made of: its options, tiles, and tables of many pictures that can be gone on with."""
