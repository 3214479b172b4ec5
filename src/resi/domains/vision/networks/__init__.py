"""Networks for images: one file per family, with all its facts in one class."""
