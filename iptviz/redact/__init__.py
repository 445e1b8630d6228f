"""Pseudonyms: the same dump, with names and addresses that mean nothing to an outsider."""
