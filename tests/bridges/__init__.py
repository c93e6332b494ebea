"""Other frameworks on clconv."""
