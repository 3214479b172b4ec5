"""Compiled loops for training on the CPU: what torch does in many passes over memory, in one."""
