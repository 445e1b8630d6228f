"""Whole rule sets of nft made at random over the small world of the tests: sets, maps, jumps, marks, nat."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.universe import in_family

if TYPE_CHECKING:
    from collections.abc import Callable

Dice = random.Random
HOSTS = ["10.2.0.2", "10.2.0.3", "10.2.0.4"]
ADDRESSES = [*HOSTS[:2], "10.3.0.1", "10.3.0.2", "10.1.0.1", "10.2.0.1"]
PORTS = [80, 81, 443, 1000]
MARKS = ["0x1", "0x2", "0x3", "0x4000", "0x0"]
_SIX = {
    "ip saddr": "ip6 saddr", "ip daddr": "ip6 daddr", "ip ttl": "ip6 hoplimit", "ip protocol": "ip6 nexthdr",
    "ip dscp": "ip6 dscp", "icmp type": "icmpv6 type", "ipv4_addr": "ipv6_addr", "dnat ip ": "dnat ip6 ",
    "snat ip ": "snat ip6 ", "table ip ": "table ip6 ", "icmpx": "icmpx",
    "l4proto icmp": "l4proto ipv6-icmp", "nfproto ipv4": "nfproto ipv6", "ct original ip ": "ct original ip6 ",
    "nexthdr icmp": "nexthdr ipv6-icmp", "meta l4proto { tcp, icmp": "meta l4proto { tcp, ipv6-icmp",
}  # fmt: skip


class Hooked(NamedTuple):
    """Where a base chain is: type, hook, and priorities that it may have."""

    type: str
    hook: str
    priorities: tuple[int, ...]


_EARLY = (-310, -250, -150, -110)
_ALL = (-150, -50, 0, 0, 0, 10, 60, 110)
_NAT = (-110, -100, -100, -90)
_NAT_LATE = (90, 100, 100, 130)
ON_THE_WAY = [
    Hooked("filter", "prerouting", (*_EARLY, -50, 0)),
    Hooked("nat", "prerouting", _NAT),
    Hooked("nat", "prerouting", _NAT),
    Hooked("filter", "input", _ALL),
    Hooked("filter", "forward", _ALL),
    Hooked("filter", "forward", _ALL),
    Hooked("filter", "postrouting", (*_ALL, 150)),
    Hooked("nat", "postrouting", _NAT_LATE),
]
SENT_OUT = [
    Hooked("filter", "output", (*_EARLY, -50, 0, 0)),
    Hooked("route", "output", (-150, -120, 0)),
    Hooked("nat", "output", _NAT),
    Hooked("filter", "postrouting", (*_ALL, 150)),
    Hooked("nat", "postrouting", _NAT_LATE),
]
_NAT_TARGETS = {
    "output": ["dnat ip to 10.2.0.3", "dnat ip to 10.2.0.4", "dnat ip to ip daddr map @targets"],
    "prerouting": [
        "dnat ip to 10.2.0.3", "dnat ip to 10.2.0.4", "dnat ip to ip daddr map @targets",
        "dnat ip to numgen random mod 2 map { 0 : 10.2.0.3, 1 : 10.2.0.3 }", "dnat ip to 10.2.0.1",
        "dnat ip to numgen random mod 1 map { 0 : 10.2.0.4 }",
    ],
    "postrouting": ["snat ip to 10.9.0.9", "masquerade", "snat ip to 10.9.0.8"],
}  # fmt: skip
_NAT_WITH_PORTS = [
    "meta l4proto tcp dnat ip to 10.2.0.3:81",
    "meta l4proto udp dnat ip to numgen random mod 1 map { 0 : 10.2.0.4 . 81 }",
    "meta l4proto tcp dnat ip to ip daddr . tcp dport map @sockets",
]
_SETS = """
  set hosts { type ipv4_addr; elements = { 10.2.0.2, 10.3.0.1, 10.1.0.2 } }
  set nets { type ipv4_addr; flags interval; elements = { 10.2.0.0/31, 10.3.0.1-10.3.0.9 } }
  set none { type ipv4_addr; }
  set ports { type inet_service; elements = { 80, 443 } }
  set spans { type inet_service; flags interval; elements = { 80-100, 1000 } }
  set pairs { type ipv4_addr . inet_proto . inet_service; elements = { 10.2.0.2 . tcp . 80, 10.2.0.3 . udp . 81, 10.3.0.1 . tcp . 443 } }
  set ranges { type ipv4_addr . inet_service; flags interval; elements = { 10.2.0.0/24 . 80-90, 10.3.0.1 . 443 } }
  set from { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 3h; elements = { 10.1.0.2 } }
  set others { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 3h; elements = { 10.1.0.9 } }
  set seen { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 3h; }
  map targets { type ipv4_addr : ipv4_addr; elements = { 10.3.0.1 : 10.2.0.3, 10.3.0.2 : 10.2.0.4 } }
  map sockets { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 10.3.0.1 . 80 : 10.2.0.3 . 81, 10.2.0.2 . 443 : 10.2.0.4 . 80 } }
  map marked { type inet_service : mark; elements = { 80 : 0x1, 81 : 0x4000 } }
"""
_DPORTS = ["tcp dport", "udp dport"]


def _number(dice: Dice) -> str:
    side = dice.choice([*_DPORTS, "tcp sport", "meta l4proto { tcp, udp } th dport"])
    asked = dice.choice(["80", "!= 81", "80-100", "!= 80-100", "{ 80, 443 }", "!= { 80, 1000 }", "@ports", "@spans",
                         "!= @spans", "> 443", "<= 81", ">= 1000", "< 81"])  # fmt: skip
    return f"{side} {asked}"


def _address(dice: Dice) -> str:
    asked = dice.choice([
        dice.choice(ADDRESSES), f"!= {dice.choice(ADDRESSES)}", "10.2.0.0/24", "!= 10.3.0.0/24", "@hosts", "!= @hosts",
        "@nets", "!= @nets", "10.2.0.2-10.2.0.3", "{ 10.2.0.2, 10.3.0.1 }", "!= { 10.2.0.2, 10.3.0.0/24 }",
        "{ 10.2.0.0/31, 10.3.0.1-10.3.0.7 }", "@none", "!= @none",
    ])  # fmt: skip
    return f"{dice.choice(['ip daddr', 'ip daddr', 'ip saddr'])} {asked}"


MATCHES: list[Callable[[Dice], str]] = [
    _address,
    _address,
    _address,
    _number,
    _number,
    lambda dice: f"meta l4proto {dice.choice(['tcp', 'udp', 'icmp', '!= tcp', '{ tcp, icmp }', '!= { tcp, udp }'])}",
    lambda dice: f"ip protocol {dice.choice(['tcp', 'udp', 'icmp', '!= udp'])}",
    lambda dice: f"tcp flags {dice.choice(['syn', '& (fin|syn|rst|ack) == syn', '& (syn|ack) == ack', '& (fin|syn|rst|ack) != syn', '! syn', 'ack,rst'])}",
    lambda dice: f"icmp type {dice.choice(['echo-request', '!= echo-request', '{ echo-request, echo-reply }'])}",
    lambda dice: f"meta mark {dice.choice(MARKS)}",
    lambda dice: f"meta mark {dice.choice(['& 0x1 == 0x1', '& 0x4000 != 0x0', '& 0xff == 0x3', '!= 0x1', '{ 0x1, 0x3 }', '^ 0x1 == 0x0'])}",
    lambda dice: f"ct mark {dice.choice(['0x1', '!= 0x1', '& 0x3 == 0x0', '{ 0x0, 0x3 }'])}",
    lambda dice: f"ct state {dice.choice(['new', '!= new', 'established,related', 'new,untracked', 'invalid', 'untracked', '{ new, established }'])}",
    lambda dice: f"ct status {dice.choice(['dnat', 'snat', '! dnat', 'seen-reply'])}",
    lambda _dice: "ct direction original",
    lambda dice: f"ct original ip daddr {dice.choice(ADDRESSES)}",
    lambda dice: f"meta length {dice.choice(['28', '0-39', '>= 40', '< 40'])}",
    lambda dice: f"ip ttl {dice.choice(['64', '63', '> 5', '!= 64'])}",
    lambda dice: f"ip dscp {dice.choice(['0x04', 'cs0', '!= cs0', '0x0a'])}",
    lambda dice: f"fib {dice.choice(['daddr', 'saddr', 'daddr'])} type {dice.choice(['local', '!= local'])}",
    lambda dice: f"meta nfproto {dice.choice(['ipv4', '!= ipv4'])}",
    lambda dice: f"ip daddr . meta l4proto . th dport {dice.choice(['@pairs', '!= @pairs'])}",
    lambda dice: f"ip daddr . tcp dport {dice.choice(['@ranges', '!= @ranges', '{ 10.2.0.2 . 80, 10.3.0.1 . 443 }'])}",
    lambda dice: f"ip saddr {dice.choice(['@from', '@others', '!= @from'])}",
    lambda dice: dice.choice(["numgen random mod 3 < 3", "numgen random mod 1 == 0", "numgen random mod 4 { 0, 1, 2, 3 }", "numgen random mod 2 > 1"]),
]  # fmt: skip
_OF_INTERFACES = [
    'iifname "cli"',
    'iifname != "cli"',
    'iifname "c*"',
    'iif "cli"',
    'iifname { "cli", "srv" }',
]
_TO_INTERFACES = ['oifname "srv"', 'oifname != "srv"', 'oifname "s*"', 'oifname "cli"']
CHANGES = [
    "meta mark set 0x1", "meta mark set meta mark | 0x4000", "meta mark set meta mark & 0xfe", "meta mark set 0x3",
    "meta mark set meta mark ^ 0x1", "ct mark set 0x1", "ct mark set meta mark", "meta mark set ct mark",
    "ct mark set ct mark | 0x2", "meta mark set tcp dport map @marked", "ip ttl set 40", "ip dscp set 0x0a",
    "update @seen { ip saddr }", "meta mark set meta mark & 0xff | 0x100",
]  # fmt: skip


class _Chain(NamedTuple):
    name: str
    hooked: Hooked
    later: tuple[str, ...]


def random_ruleset(seed: int, family: int = 4, hook: str = "prerouting") -> str:
    """Return tables of nft; chains call only later ones, so there is no loop."""
    dice = Dice(seed)
    places = ON_THE_WAY if hook == "prerouting" else SENT_OUT
    text = "".join(_table(dice, number, places) for number in range(dice.choice([1, 1, 2, 2, 3])))
    if hook == "prerouting":  # what the router itself answers counts nowhere else
        text += "table ip zz {\n  chain out { type filter hook output priority -400; drop; }\n}\n"
    return _in_six(text) if family == 6 else text


def _in_six(text: str) -> str:
    for word, other in _SIX.items():
        text = text.replace(word, other)
    text = re.sub(
        r"(?<=meta length )\S+", lambda found: re.sub(r"\d+", lambda n: str(int(n[0]) + 20), found[0]), text
    )
    return in_family(text, 6)


def _table(dice: Dice, number: int, places: list[Hooked]) -> str:
    family = dice.choice(["ip", "ip", "inet"])
    hooked = dice.sample(places, dice.randint(1, len(places)))
    lines = [f"table {family} t{number} {{", _SETS]
    bases, own = [], []
    for at, place in enumerate(hooked):
        names = tuple(f"c{at}x{n}" for n in range(dice.choice([0, 0, 1, 2, 3, 5])))
        own += [_Chain(name, place, names[n + 1 :]) for n, name in enumerate(names)]
        bases.append(_Chain(f"b{at}", place, names))
    for chain in reversed(own):
        lines += [f"  chain {chain.name} {{", *_rules(dice, chain), "  }"]
    for chain in bases:
        place = chain.hooked
        policy = dice.choice(["accept", "accept", "accept", "drop"]) if place.type == "filter" else "accept"
        head = (
            f"type {place.type} hook {place.hook} priority {dice.choice(place.priorities)}; policy {policy};"
        )
        lines += [f"  chain {chain.name} {{", f"    {head}", *_rules(dice, chain), "  }"]
    return "\n".join([*lines, "}", ""])


def _rules(dice: Dice, chain: _Chain) -> list[str]:
    return [f"    {_rule(dice, chain)}" for _ in range(dice.randint(1, 5))]


def _match(dice: Dice, chain: _Chain) -> str:
    words = [dice.choice(MATCHES)(dice) for _ in range(dice.choice([0, 1, 1, 2]))]
    if chain.hooked.hook in {"prerouting", "input", "forward"} and dice.random() < 0.15:
        words.append(dice.choice(_OF_INTERFACES))
    if chain.hooked.hook in {"forward", "output", "postrouting"} and dice.random() < 0.15:
        words.append(dice.choice(_TO_INTERFACES))
    if chain.hooked.hook == "output" and dice.random() < 0.1:
        words.append(dice.choice(["meta skuid 0", "meta skuid != 0", "meta skgid 1000", "meta skuid 0-10"]))
    return " ".join(words[:1] if _LISTED_AS_RANGE.search(" ".join(words)) else words)


_LISTED_AS_RANGE = re.compile(r" < .* > | >= .* <= ")
"""nft lists such comparisons of two fields as a range of the second: what the first asks is in no listing."""


def _rule(dice: Dice, chain: _Chain) -> str:
    """Return a rule of which the counter stands before all that it does."""
    first = _match(dice, chain)
    if dice.random() < 0.15:
        return f"{first} {_vmap(dice, chain)}".strip()
    steps = [f"{dice.choice(CHANGES)}" for _ in range(dice.choice([0, 0, 1, 1, 2]))]
    steps = [f"{step} {_match(dice, chain) if dice.random() < 0.4 else ''}".strip() for step in steps]
    return " ".join(filter(None, (first, "counter", *steps, _verdict(dice, chain))))


def _verdict(dice: Dice, chain: _Chain) -> str:
    choices = ["accept", "return", "return", "", "", *(["drop"] if chain.hooked.type != "nat" else [])]
    choices += (
        [f"{word} {dice.choice(chain.later)}" for word in ("jump", "jump", "goto")] if chain.later else []
    )
    if chain.hooked.type == "nat":
        targets = _NAT_TARGETS[chain.hooked.hook]
        choices += [dice.choice(targets) for _ in range(3)]
        choices += [dice.choice(_NAT_WITH_PORTS)] if chain.hooked.hook != "postrouting" else []
    elif chain.hooked.hook in {"input", "forward"} and chain.hooked.type == "filter":
        choices += ["reject", "reject with icmpx admin-prohibited"]
    return dice.choice(choices)


def _vmap(dice: Dice, chain: _Chain) -> str:
    def verdict() -> str:
        words = ["accept", "return", *(["drop"] if chain.hooked.type != "nat" else ["continue"])]
        words += (
            [f"jump {dice.choice(chain.later)}", f"goto {dice.choice(chain.later)}"] if chain.later else []
        )
        return dice.choice(words)

    key, values = dice.choice([
        ("ip daddr", ["10.2.0.2", "10.3.0.1", "10.2.0.3"]),
        ("tcp dport", ["80", "81", "443-1000"]),
        ("ip daddr . meta l4proto . th dport", ["10.2.0.2 . tcp . 80", "10.3.0.1 . udp . 81", "10.3.0.2 . tcp . 443"]),
        ("meta l4proto . th dport", ["tcp . 80", "udp . 443", "tcp . 1000"]),
        ("meta l4proto", ["tcp", "udp"]),
        ("ct state", ["new", "invalid", "untracked"]),
        ("meta mark", ["0x1", "0x3", "0x0"]),
        ("iifname", ['"cli"', '"srv"']),
    ])  # fmt: skip
    if chain.hooked.hook not in {"prerouting", "input", "forward"} and key == "iifname":
        key, values = "ip saddr", ["10.1.0.2", "10.2.0.1"]
    if dice.random() < 0.15:
        same = verdict()
        return f"numgen random mod 2 vmap {{ 0 : {same}, 1 : {same} }}"
    elements = [f"{value} : {verdict()}" for value in dice.sample(values, dice.randint(1, len(values)))]
    return f"{key} vmap {{ {', '.join(elements)} }}"
