"""The meaning of a network: intermediate representation, operators, passes, reference."""
