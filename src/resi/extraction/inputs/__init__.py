"""Data of each kind that a user can pass, read as batches for a network."""
