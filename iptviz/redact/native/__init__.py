"""Listings of nft in pseudonyms, text and JSON: the same tables, at the same lines."""
