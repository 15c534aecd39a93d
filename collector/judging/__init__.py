"""What an arrival is, without I/O: whose, of whom, which event, good or bad and why."""
