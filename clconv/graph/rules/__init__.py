"""Rules that several operators share and their hooks name: how a transposed input is read, when images stay apart."""
