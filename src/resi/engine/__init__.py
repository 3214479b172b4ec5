"""The all-pairs engine: order of comparisons, memory budget, prepared representations, processes of their own."""
