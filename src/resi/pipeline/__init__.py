"""The steps of a run: plan, models, representations, comparisons, scores, and the manifest that says how."""
