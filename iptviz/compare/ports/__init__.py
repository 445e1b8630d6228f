"""Service ports: the normal form, who tells it, and in what two forms or two lists of them differ."""
