"""A second truth: what netfilter does to one packet, told from netfilter's semantics and nothing of iptviz.

It reads the text of a dump itself, and goes forward through the tables with the first packet of a connection, of
which everything is known: concrete.py says what matches see of it, concrete_targets.py what targets change. It
knows the words that tests/kernel/random_tables.py writes, and what iptables-save makes of them; any other is a
KeyError. What a node sends to itself is not followed.

Sources: the priorities of include/uapi/linux/netfilter_ipv4.h; net/ipv4/ip_forward.c for the time to live;
nf_nat_inet_fn in net/netfilter/nf_nat_core.c, which asks nat about new connections alone; xt_conntrack.c,
xt_connmark.c, xt_owner.c and xt_mark.c in net/netfilter.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

from tests.engine.concrete import Connection, Packet, holds
from tests.engine.concrete_targets import CHANGES, NAT, Options, translate


class Outcome(NamedTuple):
    """What became of a packet, and the rules that matched, in order: table, chain, number."""

    verdict: str
    packet: Packet
    matched: list[tuple[str, str, int]]


# --- reading -------------------------------------------------------------------------------------------------


class Check(NamedTuple):
    option: str
    text: str
    negated: bool


class Rule(NamedTuple):
    checks: list[Check]
    target: str
    options: Options
    goes_to: bool


class Table(NamedTuple):
    policies: dict[str, str]
    chains: defaultdict[str, list[Rule]]


class Rules(NamedTuple):
    """The tables of a dump, and whether a rule wants connections to be tracked."""

    tables: dict[str, Table]
    tracks: bool


def read(dump: str) -> Rules:
    """Read all that a walk asks of a dump."""
    return Rules(read_tables(dump), WANTS_TRACKING.search(dump) is not None)


def read_tables(dump: str) -> dict[str, Table]:
    """Read a dump, with counters or without."""
    tables: dict[str, Table] = {}
    for line in dump.splitlines():
        if line.startswith("*"):
            tables[line[1:]] = table = Table({}, defaultdict(list))
        elif line.startswith(":"):
            chain, policy, *_ = line[1:].split()
            table.policies[chain] = policy
            table.chains[chain] = []
        elif found := re.match(r"(?:\[\d+:\d+\] )?-A (\S+)(.*)", line):
            table.chains[found[1]].append(read_rule(found[2]))
    return tables


def read_rule(text: str) -> Rule:
    """Read what follows the name of the chain; options are named after the match that they belong to."""
    checks: list[Check] = []
    match, negated = "", False
    words = iter(shlex.split(text))
    for word in words:
        if word in {"-j", "-g"}:
            return Rule(checks, next(words), read_options(list(words)), word == "-g")
        if word == "!":
            negated = True
        elif word == "-m":
            match = next(words)
        else:
            option = f"{match} {word}" if word.startswith("--") else word
            value = " ".join(next(words) for _ in range(2 if word == "--tcp-flags" else 1))
            checks.append(Check(option, value, negated))
            negated = False
    return Rule(checks, "", {}, goes_to=False)


def read_options(words: list[str]) -> Options:
    """Read the options of a target; one without a value has an empty one."""
    options: Options = {}
    for word in words:
        if word.startswith("--"):
            options[name := word] = ""
        else:
            options[name] = word
    return options


# --- the way through the hooks -------------------------------------------------------------------------------

HOOKS = {
    "": "raw PREROUTING, track, mangle PREROUTING, nat PREROUTING, route",
    "INPUT": "mangle INPUT, filter INPUT, security INPUT, nat INPUT",
    "FORWARD": "mangle FORWARD, filter FORWARD, security FORWARD, mangle POSTROUTING, nat POSTROUTING",
    "OUTPUT": "raw OUTPUT, track, mangle OUTPUT, nat OUTPUT, filter OUTPUT, security OUTPUT, "
              "mangle POSTROUTING, nat POSTROUTING",
}  # fmt: skip
"""What is asked in turn of a packet that was sent this way, and before it was sent any way."""
COMES, LEAVES = {"PREROUTING", "INPUT", "FORWARD"}, {"FORWARD", "OUTPUT", "POSTROUTING"}
WANTS_TRACKING = re.compile(
    "-m (conntrack|state|connmark) |-j (CT --zone|CONNMARK|DNAT|SNAT|MASQUERADE|NETMAP)"
)
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}
NEVER_TRACKED = {*range(130, 137), 143}
"""The types by which ICMPv6 finds neighbours, routers and members of groups."""
BEGINNINGS = {"icmp": (8, 13, 15, 17), "ipv6-icmp": (128, 139)}
"""The types of requests, which alone begin connections."""
VERDICTS = {"ACCEPT", "DROP", "REJECT"}


def interpret(dump: str, packet: Packet) -> Outcome:
    """Send a packet, which stays as it is, through the tables of a dump."""
    walk = Walk(read(dump), replace(packet))
    verdict = walk.hooks()
    return Outcome(verdict, walk.packet, walk.matched)


class Walk:
    """One packet on its way, which changes it."""

    def __init__(self, rules: Rules, packet: Packet) -> None:
        self.tables, self.tracks = rules
        self.packet = packet
        self.interfaces = packet.into, packet.out
        self.matched: list[tuple[str, str, int]] = []
        self.own = {"track": self.track, "route": self.route}

    def hooks(self) -> str:
        """Pass the hooks until one does not accept, or all have."""
        for stop in HOOKS[self.packet.route].split(", "):
            verdict = self.own[stop]() if stop in self.own else self.ask(*stop.split())
            if verdict != "ACCEPT":
                return verdict
        return self.hooks() if stop == "route" else "ACCEPT"

    def track(self) -> str:
        """Begin the connection: nothing registers tracking but a rule that wants it."""
        packet = self.packet
        if packet.connection is not None:  # a template of CT
            packet.connection, packet.tracking = None, "INVALID"
        if packet.protocol == "ipv6-icmp" and packet.icmp[0] in NEVER_TRACKED:
            packet.tracking = "UNTRACKED"
        if self.tracks and packet.tracking != "UNTRACKED" and self.begins():
            packet.tracking = "NEW"
            packet.connection = Connection(
                packet.source, packet.destination, packet.destination, PROTOCOLS[packet.protocol]
            )
        return "ACCEPT"

    def begins(self) -> bool:
        """Whether the packet begins a connection, as tracking that is loose about TCP sees it."""
        packet = self.packet
        if packet.protocol == "tcp":
            return len(packet.flags & {"SYN", "ACK"}) == 1 and not packet.flags & {"FIN", "RST"}
        return packet.icmp[0] in BEGINNINGS.get(packet.protocol, (packet.icmp[0],))

    def route(self) -> str:
        """Deliver, or forward what has time left to live."""
        if self.packet.destination in self.packet.local:
            self.packet.route = "INPUT"
        elif self.packet.ttl <= 1:
            return "DROP"
        else:
            self.packet.route = "FORWARD"
            self.packet.ttl -= 1
        return "ACCEPT"

    def ask(self, name: str, chain: str) -> str:
        """Ask a built-in chain; nat only about a new connection, and so once."""
        if name not in self.tables or (name == "nat" and self.packet.connection is None):
            return "ACCEPT"
        into, out = self.interfaces
        self.packet.into = into if chain in COMES else ""
        self.packet.out = out if chain in LEAVES else ""
        return self.rules(name, chain, chain) or self.tables[name].policies.get(chain, "ACCEPT")

    def rules(self, name: str, hook: str, chain: str) -> str:
        """Ask a chain's rules; empty where the packet comes back from it."""
        table = self.tables[name]
        for number, rule in enumerate(table.chains[chain], 1):
            if not all(holds(self.packet, *check) for check in rule.checks):
                continue
            self.matched.append((name, chain, number))
            if rule.target in VERDICTS:
                return rule.target
            if rule.target == "RETURN":
                return ""
            if rule.target in table.chains:
                verdict = self.rules(name, hook, rule.target)
                if verdict or rule.goes_to:
                    return verdict
            elif rule.target in NAT:
                self.translate(hook, rule)
                return "ACCEPT"
            else:
                CHANGES[rule.target](self.packet, rule.options)
        return ""

    def translate(self, hook: str, rule: Rule) -> None:
        """Do what a rule of nat says."""
        translate(self.packet, hook, rule.target, rule.options)
