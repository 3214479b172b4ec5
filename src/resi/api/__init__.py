"""The Python functions: compare, extract and read representations, and evaluate measures in the tests."""
