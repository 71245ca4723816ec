"""A run, read back from its file and shown."""
