"""Compiled loops for training on the CPU: operations that take torch many passes over memory, in one pass."""
