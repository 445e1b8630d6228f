"""Results as neutral nodes and rows: every number formatted, every omission stated, every text harmless."""
