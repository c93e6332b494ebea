"""`python -m clconv` is the `clconv` command."""

from clconv.cli import main

main()
