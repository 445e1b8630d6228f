"""What can be found in a dump, as data, and the words for it: one module per catalogue of findings."""
