"""Measures of topology: persistence, and what is built on it."""
