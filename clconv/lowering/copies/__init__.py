"""Moving data and changing layouts."""
