"""What a person passes as data, kind by kind, read as batches that a network can take."""
