"""The all-pairs engine: plan, memory budget, cache of prepared representations, execution."""
