"""Representations in memory and in the store."""
