"""Random rule sets with what leaves questions open: matches of every kind, queues, ranges, proxies, zones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.kernel.random_matches import random_words
from tests.kernel.random_tables import PLAIN, Menu, random_rules

if TYPE_CHECKING:
    from tests.kernel.random_tables import Dice, Place

_LEFT_OUT = re.compile(
    r"-f$|-m (realm|rpfilter|socket|set)|-p (ah|esp|ipcomp|gre|41|all|udplite|dccp|sctp)|-type [^ ]*(BRO|BLA|UNR|PRO)"
)
"""What only one family or table takes, asks for packets that are not sent, or needs more than the rules."""


def _match(dice: Dice, place: Place) -> str:
    if dice.random() < 0.4:
        return PLAIN.match(dice, place)
    while _LEFT_OUT.search(words := random_words(dice, 4, place.chain)):
        pass
    return words


_WILD = {
    "raw": ["CT --zone 5", "TRACE", "NFQUEUE --queue-num 3 --queue-bypass"],
    "mangle": ["NFQUEUE --queue-num 3", "NFQUEUE --queue-balance 4:6 --queue-bypass", "AUDIT --type accept",
               "HMARK --hmark-tuple src --hmark-mod 4 --hmark-rnd 1", "NFLOG --nflog-group 9",
               "MARK --set-xmark 0x1/0x3", "CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"],
    "filter": ["NFQUEUE --queue-num 3 --queue-bypass", "NFQUEUE --queue-num 7", "REJECT"],
}  # fmt: skip
_WILD_NAT = {
    "PREROUTING": ["DNAT --to-destination 10.2.0.4-10.2.0.7", "REDIRECT", "DNAT --to-destination 10.2.0.3 --persistent"],
    "OUTPUT": ["DNAT --to-destination 10.2.0.4-10.2.0.7", "DNAT --to-destination 10.2.0.3 --random"],
    "POSTROUTING": ["SNAT --to-source 10.9.0.8-10.9.0.11", "MASQUERADE --random", "SNAT --to-source 10.9.0.9 --random-fully"],
    "INPUT": ["SNAT --to-source 10.9.0.8-10.9.0.11"],
}  # fmt: skip


def _targets(place: Place) -> list[str]:
    wild = _WILD_NAT[place.chain] if place.table == "nat" else _WILD[place.table]
    return [*PLAIN.targets(place), *wild]


WILD = Menu(_match, _targets)


def wild_rules(seed: int, family: int, hook: str) -> str:
    """Return a whole dump; a kernel or its tools may refuse one."""
    return random_rules(seed, family, hook, WILD)
