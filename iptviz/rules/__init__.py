"""The neutral form of rules: what the engine walks, whatever language they are written in.

`form.py` says what a rule is, `operands.py` what its parts are given; `iptables.py` makes both of a dump's rules.
"""
