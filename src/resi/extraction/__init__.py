"""Representations of any network over any data: layers are recorded while it runs; nothing here knows of runs."""
