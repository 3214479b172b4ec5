"""Checks of a machine (``resi doctor``), and the contents of a data root that can be removed (``resi clean``)."""
