"""The tests in which the true similarity is known: planning their groups, and scoring measures against them."""
