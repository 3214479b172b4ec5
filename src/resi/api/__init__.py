"""The Python functions: representations compared, extracted, read and put through the tests."""
