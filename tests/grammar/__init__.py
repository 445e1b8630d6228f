"""Rules taken apart."""
