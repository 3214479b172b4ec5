"""The steps of a run after composing its config: plan, models, representations, compare, score."""
