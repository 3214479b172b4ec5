"""Datasets of images: one file per dataset, with all facts about it in one object."""
