"""The data root: models, representations and downloads, written whole or not at all, locked, checked when read."""
