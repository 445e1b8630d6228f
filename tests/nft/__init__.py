"""nft's language: what is read of texts and JSON."""
