"""The only floor that touches a device."""
