"""What a user hands in that the dump lacks: addresses, routes, sets and recent lists of the host."""
