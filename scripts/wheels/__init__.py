"""Build resi's packages, look at what is in them, and use them where nothing else of resi is."""
