"""What must hold for long, and whatever happens: many runs, many threads, interrupts, kills."""
