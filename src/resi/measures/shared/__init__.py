"""Intermediates that several measures share, computed once."""
