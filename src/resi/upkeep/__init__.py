"""What works on a machine (``resi doctor``), and what lies in a data root and can go (``resi clean``)."""
