"""A node at one moment: all that files and bundles hold of it, one way in for every question."""
