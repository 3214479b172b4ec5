"""Representations of any network on any data: layers are recorded while it runs; independent of the pipeline."""
