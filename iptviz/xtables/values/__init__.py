"""The values that options take: each kind is read and shown in one place, and `kinds.py` is the table of all.

A reader takes a word as it was typed and returns the value that iptables makes of it, or None for what iptables
would refuse; what shows it returns the text that iptables-save prints.
"""
