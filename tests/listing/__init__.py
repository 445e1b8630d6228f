"""Listings read back."""
