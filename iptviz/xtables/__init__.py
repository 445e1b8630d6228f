"""The grammar of iptables as data: which options a match or target has, and what each takes.

To add a match or a target, add its row to `matches.py` or `targets.py`; nothing else knows their names. The kinds
of values that its options take stand in `values/`. What iptables-save prints of it otherwise than typed, beyond
its values, stands in `saved/`, by the name of the match or target.
"""
