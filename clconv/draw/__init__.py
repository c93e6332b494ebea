"""A graph as a picture: svg() for files and notebooks."""

from clconv.draw.svg import svg

__all__ = ["svg"]
