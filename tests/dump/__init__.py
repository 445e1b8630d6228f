"""How bytes become a model: source, index, words, rules, tables."""
