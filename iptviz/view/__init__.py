"""Results as blocks with typed cells: every number formatted, every omission stated, every text harmless."""
