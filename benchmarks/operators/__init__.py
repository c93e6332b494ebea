"""Operators one by one against another engine: cases of the sizes that networks have, and the comparison."""
