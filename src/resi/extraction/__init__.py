"""Layers of any torch module, recorded while it runs; nothing here knows of datasets or runs."""
