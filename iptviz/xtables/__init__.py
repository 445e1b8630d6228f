"""The grammar of iptables as data: which options a match or target has, and what each takes.

To add a match or a target, add its row to `matches.py` or `targets.py`; nothing else knows their names.
"""
