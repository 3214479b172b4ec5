"""Networks of the graph domain, one file per family; ``catalogue`` is the list of them."""
