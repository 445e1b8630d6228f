"""Chains and rules: what came, went, changed or moved, and whether a move changes anything."""
