"""What of a destination outlives its process: offsets, receipts, facts, what is parked, dead letters."""
