"""A part of a rule of iptables: an option that every rule may have, or one of a match."""

from __future__ import annotations

from iptviz.records import NamedTuple


class Piece(NamedTuple):
    """A part of a rule: an option of every rule, of which `name` is `-s` and the like, or a match's option.

    `protocol` is what `-p` must name for iptables to take the match; empty for any.
    """

    name: str
    text: str
    protocol: str = ""


BASIC = ("-s", "-d", "-i", "-o", "-p", "-f")
"""The options that every rule may have, in the order of iptables-save."""

IS = {"==": "", "!=": "! "}
"""The sign of a comparison, for one that is denied `!`."""
