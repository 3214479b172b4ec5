"""The typed configuration of a run: its fields, its arguments, how it is composed."""
