"""The language of nft, as `nft list ruleset` and `nft -j list ruleset` print it: read into a typed model."""
