"""How much work runs are before they start: models, comparisons, time and memory."""
