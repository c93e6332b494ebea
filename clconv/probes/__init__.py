"""What a device is trusted with only once it was seen to work."""
