"""One destination's way: read from the log, batched, called, settled; tried again, or set aside."""
