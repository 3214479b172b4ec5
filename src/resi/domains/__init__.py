"""Domains: datasets, architectures, settings, training and extraction; none imports another."""
