"""The neutral form of rules: what iptables' words become, and the quick way to it."""
