"""Networks for images: one file per family, all that is known of it in one class."""
