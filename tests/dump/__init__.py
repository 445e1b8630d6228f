"""How bytes become a dump: which of several, its tables, chains and rules, what its reading left open."""
