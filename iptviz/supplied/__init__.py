"""What a user supplies that the dump lacks: addresses, routes, sets and recent lists of the host."""
