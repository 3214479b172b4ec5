"""How much work a run is, before it starts."""
