"""The resources of this machine, and a job's share of them."""
