"""Representations of a network: which layers, taken how, joined and written as they come."""
