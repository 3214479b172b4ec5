"""Networks for images: one file a family, all that is known of it in one class."""
