"""The data root: models, representations and downloads, written atomically, locked, and checked when read."""
