"""Netfilter's semantics with exact chances: what a rule does to a packet that is only partly known."""
