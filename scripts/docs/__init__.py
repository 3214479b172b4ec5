"""The documentation site: pages, the reference that is written from the code, and a check of what was built."""
