"""From bytes to a dump and back, without loss: tables, chains, rules, and what the reading left open."""
