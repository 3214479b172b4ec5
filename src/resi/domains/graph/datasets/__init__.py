"""Datasets of the graph domain, one file each; ``catalogue`` is the list of them."""
