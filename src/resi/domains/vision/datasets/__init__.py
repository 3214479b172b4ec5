"""Datasets of images: one file a dataset, all that is known of it in one object."""
