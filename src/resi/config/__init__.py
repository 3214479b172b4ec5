"""The typed configuration of a run: its fields, its words, how it is composed."""
