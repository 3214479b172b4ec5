"""The published benchmark: import of its results, names, files to download."""
