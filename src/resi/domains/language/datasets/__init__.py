"""The datasets of the language domain, one file each."""
