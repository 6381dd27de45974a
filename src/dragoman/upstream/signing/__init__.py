"""Ways to be let in that take more than a header which stays the same, a file per cloud."""
