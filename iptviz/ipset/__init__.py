"""The kernel's sets, as `ipset save` and `ipset list` print them, and what is in them."""
