"""A part of a rule of iptables, and what stands in place of what nft does not print."""

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

HIDDEN = "[hidden by nft]"
"""Stands in place of a target's options that nft does not print."""

NATIVE = "nft:statement"
"""A target that stands for what iptables has no words for; nft takes no such name for a chain."""
