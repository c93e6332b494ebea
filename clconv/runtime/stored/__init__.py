"""Plans and packed weights as data that a file can hold, and back."""
