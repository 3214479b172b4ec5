"""Configurations of the published benchmark, turned into runs: what they select, and which runs compare the same."""
