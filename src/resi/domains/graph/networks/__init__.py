"""Networks of the graph domain, one file a family; ``catalogue`` is the list of them."""
