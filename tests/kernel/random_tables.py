"""Whole rule sets made at random over a small universe, and packets to send through them."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.frames import CLIENT, Sent
from tests.kernel.universe import icmp_type, in_family
from tests.kernel.wire import ROUTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOSTS = [f"10.2.0.{n}" for n in range(2, 6)]
SERVICES = ["10.3.0.1", "10.3.0.2"]
DESTINATIONS = [*HOSTS[:2], *SERVICES, *ROUTER]
PORTS = [80, 81, 443, 1000]
MARKS = ["0x1", "0x4000/0x4000", "0x3/0xff", "0x0/0x1"]
DEEPEST = 10  # nf_tables refuses a call depth of 16

Dice = random.Random


class Place(NamedTuple):
    """A built-in chain, and what may stand in it and in the chains it calls."""

    table: str
    chain: str

    @property
    def has_input(self) -> bool:
        return self.chain in {"PREROUTING", "INPUT", "FORWARD"}

    @property
    def has_output(self) -> bool:
        return self.chain in {"FORWARD", "OUTPUT", "POSTROUTING"}


ON_THE_WAY = [
    Place("raw", "PREROUTING"),
    *(Place("mangle", chain) for chain in ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING")),
    *(Place("nat", chain) for chain in ("PREROUTING", "INPUT", "POSTROUTING")),
    *(Place("filter", chain) for chain in ("INPUT", "FORWARD")),
]
SENT_OUT = [
    *(Place(table, "OUTPUT") for table in ("raw", "mangle", "nat", "filter")),
    *(Place(table, "POSTROUTING") for table in ("mangle", "nat")),
]
COMING_BACK = [
    Place("raw", "PREROUTING"),
    *(Place("mangle", chain) for chain in ("PREROUTING", "INPUT")),
    Place("filter", "INPUT"),
]
PLACES = {"prerouting": ON_THE_WAY, "output": SENT_OUT, "looped": [*SENT_OUT, *COMING_BACK]}
"""Where packets come by: those that arrive, those that the node sends, and those that it sends to itself."""


def _not(dice: Dice, text: str) -> str:
    return f"! {text}" if dice.random() < 0.25 else text


def _inside(dice: Dice, match: str, option: str) -> str:
    return f"-m {match} {_not(dice, option)}"


_SOURCES = [f"{CLIENT}/32", "10.1.0.0/24", "10.0.0.0/8", "10.1.0.9/32", "10.0.0.2/255.0.0.255"]
_NETWORKS = ["10.2.0.0/24", "10.3.0.0/24", "10.2.0.2/31", *(f"{one}/32" for one in DESTINATIONS)]


def _ports(dice: Dice) -> str:
    protocol = dice.choice(["tcp", "udp"])
    port, side = dice.choice(PORTS), dice.choice(["sport", "dport", "dport"])
    if dice.random() < 0.3:
        ports = ",".join(map(str, dice.sample(PORTS, 2)))
        option = dice.choice([f"--{side}s {ports}", f"--ports {ports}", "--dports 80:100,443"])
        return f"-p {protocol} -m multiport {_not(dice, option)}"
    return f"-p {protocol} -m {protocol} {_not(dice, f'--{side} ' + dice.choice([str(port), f'{port}:', ':100']))}"


MATCHES: list[Callable[[Dice], str]] = [
    lambda dice: _not(dice, f"-s {dice.choice(_SOURCES)}"),
    lambda dice: _not(dice, f"-d {dice.choice(_NETWORKS)}"),
    lambda dice: _not(dice, f"-d {dice.choice(_NETWORKS)}"),
    lambda dice: _not(dice, f"-p {dice.choice(['tcp', 'udp', 'icmp'])}"),
    _ports,
    _ports,
    lambda dice: f"-p tcp {_inside(dice, 'tcp', '--tcp-flags ' + dice.choice(['SYN,ACK SYN', 'ALL SYN', 'SYN,RST,ACK,FIN ACK']))}",
    lambda dice: f"-p icmp {_inside(dice, 'icmp', '--icmp-type ' + dice.choice(['8', '8/0', '13', '0', 'any']))}",
    lambda dice: _inside(dice, "mark", f"--mark {dice.choice(MARKS)}"),
    lambda dice: _inside(dice, "mark", f"--mark {dice.choice(MARKS)}"),
    lambda dice: _inside(dice, "connmark", f"--mark {dice.choice(MARKS)}"),
    lambda dice: _inside(dice, "conntrack", f"--ctstate {dice.choice(['NEW', 'INVALID', 'UNTRACKED', 'DNAT', 'SNAT', 'RELATED,ESTABLISHED', 'NEW,DNAT'])}"),
    lambda dice: _inside(dice, "conntrack", dice.choice(
        [f"--ctorigdst {dice.choice(DESTINATIONS)}", f"--ctreplsrc {dice.choice(HOSTS)}", "--ctdir ORIGINAL",
         f"--ctorigsrc {CLIENT}", f"--ctproto {dice.choice(['6', '17'])}", "--ctstatus SEEN_REPLY,ASSURED"]
    )).replace("! --ctdir", "--ctdir"),
    lambda dice: _inside(dice, "state", f"--state {dice.choice(['NEW', 'ESTABLISHED', 'UNTRACKED', 'INVALID'])}"),
    lambda dice: _inside(dice, "iprange", dice.choice(["--src-range 10.1.0.1-10.1.0.3", "--dst-range 10.2.0.3-10.3.0.1"])),
    lambda dice: _inside(dice, "length", f"--length {dice.choice(['28', '0:39', '40:', '28:60'])}"),
    lambda dice: _inside(dice, "ttl", dice.choice(["--ttl-eq 64", "--ttl-eq 63"])),
    lambda dice: f"-m ttl {dice.choice(['--ttl-lt 64', '--ttl-gt 63', '--ttl-gt 5'])}",
    lambda dice: _inside(dice, "tos", f"--tos {dice.choice(['0x10/0x3f', '0x00/0xff', '0x08/0x08'])}"),
    lambda dice: _inside(dice, "dscp", f"--dscp {dice.choice(['0x00', '0x04', '0x0a'])}"),
    lambda dice: _inside(dice, "addrtype", dice.choice(["--dst-type LOCAL", "--src-type LOCAL", "--dst-type MULTICAST"])),
    lambda dice: f"-m statistic --mode random {_not(dice, '--probability ' + dice.choice(['0', '1']))}",
    lambda dice: f"-m comment --comment {dice.choice(['one', 'two'])}",
]  # fmt: skip


class Menu(NamedTuple):
    """What rules are made of: from dice and a place, a match, and targets that its table has beside those of all."""

    match: Callable[[Dice, Place], str]
    targets: Callable[[Place], list[str]]


def _match(dice: Dice, place: Place, menu: Menu) -> str:
    words = [menu.match(dice, place) for _ in range(dice.choice([0, 1, 1, 2]))]
    if place.has_input and dice.random() < 0.15:
        words.append(_not(dice, f"-i {dice.choice(['cli', 'srv', 'c+'])}"))
    if place.has_output and dice.random() < 0.15:
        words.append(_not(dice, f"-o {dice.choice(['srv', 's+', 'cli'])}"))
    if place in SENT_OUT and dice.random() < 0.1:
        words.append(
            _inside(dice, "owner", dice.choice(["--uid-owner 0", "--uid-owner 1000", "--gid-owner 0"]))
        )
    # iptables takes each basic option once, and a match of a protocol only with that protocol.
    basics = [
        word.removeprefix("! ")[:2] for text in words for word in [text] if text.removeprefix("! ")[0] == "-"
    ]
    protocols = [text for text in words if "-p " in text.removeprefix("! ")[:3]]
    singles = [name for name in basics if name in {"-s", "-d", "-i", "-o"}]
    if len(protocols) > 1 or len(set(singles)) < len(singles):
        return words[0]
    return " ".join(sorted(words, key=lambda text: "-p" not in text[:4]))


_MARKING = [
    "MARK --set-xmark 0x4000/0x4000", "MARK --set-mark 0x3", "MARK --xor-mark 0x1", "MARK --and-mark 0xfe",
    "MARK --or-mark 0x100", "CONNMARK --set-xmark 0x3/0xff", "CONNMARK --save-mark", "CONNMARK --restore-mark",
    "CONNMARK --save-mark --nfmask 0xff --ctmask 0xff", "CONNMARK --restore-mark --nfmask 0x1 --ctmask 0x3",
]  # fmt: skip
_TARGETS = {
    "raw": ["NOTRACK", "CT --notrack"],
    "mangle": ["TTL --ttl-set 40", "TTL --ttl-inc 1", "TTL --ttl-dec 1", "TOS --set-tos 0x10/0xff",
               "TOS --or-tos 0x08", "DSCP --set-dscp 0x0a", "CHECKSUM --checksum-fill"],
    "nat": [],
    "filter": ["REJECT", "REJECT --reject-with icmp-host-prohibited"],
}  # fmt: skip
_NAT = {
    "OUTPUT": ["DNAT --to-destination 10.2.0.3", "DNAT --to-destination 10.2.0.4", "NETMAP --to 10.2.0.8/29"],
    "PREROUTING": ["DNAT --to-destination 10.2.0.3", "DNAT --to-destination 10.2.0.4", "NETMAP --to 10.2.0.0/29",
                   "DNAT --to-destination 10.2.0.1"],
    "POSTROUTING": ["SNAT --to-source 10.9.0.9", "MASQUERADE", "NETMAP --to 10.9.0.0/24"],
    "INPUT": ["SNAT --to-source 10.9.0.9"],
}  # fmt: skip


def _targets(place: Place) -> list[str]:
    return _NAT[place.chain] if place.table == "nat" else _TARGETS[place.table]


PLAIN = Menu(lambda dice, _place: dice.choice(MATCHES)(dice), _targets)
"""What leaves nothing open of a packet of which all is told."""


def _target(dice: Dice, place: Place, later: list[str], menu: Menu) -> str:
    choices = [
        "-j ACCEPT",
        "-j DROP" if place.table != "nat" else "-j ACCEPT",
        "-j RETURN",
        "-j RETURN",
        "",
        "",
    ]
    choices += [f"-{letter} {dice.choice(later)}" for letter in "jjjjgg"] if later else []
    choices += [f"-j {dice.choice(_MARKING)}" for _ in range(4)]
    special = menu.targets(place)
    if place.chain == "OUTPUT":
        special = [one for one in special if not one.startswith("REJECT")]  # whose answer passes OUTPUT, too
    choices += [f"-j {dice.choice(special)}" for _ in range(3)] if special else []
    return dice.choice(choices)


def random_rules(seed: int, family: int = 4, hook: str = "prerouting", menu: Menu = PLAIN) -> str:
    """Return a whole dump; chains call only chains of a later level, so there is no loop."""
    dice = Dice(seed)
    count = dice.choice([1, 2, 3, 5, 8, 13, 20, 40])
    places = dice.sample(PLACES[hook], dice.randint(2, len(PLACES[hook])))
    owners = [(f"C{number}", dice.choice(places)) for number in range(count)]
    tables: dict[str, list[str]] = {}
    for place in places:
        own = [name for name, owner in owners if owner == place]
        lines = tables.setdefault(place.table, [])
        lines.append(
            f":{place.chain} {dice.choice(['ACCEPT', 'ACCEPT', 'DROP']) if place.table == 'filter' else 'ACCEPT'}"
        )
        lines += [f":{name} -" for name in own]
        lines += _chain(dice, place, place.chain, own, menu)
        for number, name in enumerate(own):
            step = -(-len(own) // DEEPEST)
            lines += _chain(dice, place, name, own[(number // step + 1) * step :], menu)
    if hook == "prerouting":  # what the router itself answers counts nowhere else
        tables.setdefault("raw", []).append("-A OUTPUT -j DROP")
    return in_family("".join(_section(table, lines) for table, lines in tables.items()), family)


def _section(table: str, lines: list[str]) -> str:
    return "\n".join([f"*{table}", *sorted(lines, key=lambda line: line[0] != ":"), "COMMIT", ""])


def _chain(dice: Dice, place: Place, name: str, later: list[str], menu: Menu) -> Iterator[str]:
    for _ in range(dice.randint(1, 6)):
        rule = f"{_match(dice, place, menu)} {_target(dice, place, later, menu)}".strip()
        if re.search("(^|[^!] )-p (tcp|udp).*--to-destination [^ -]*$", rule) and dice.random() < 0.6:
            rule += ":81"  # a port can be rewritten only where the protocol is given
        yield f"-A {name} {rule}"


def random_packets(seed: int, count: int, family: int = 4, hook: str = "prerouting") -> list[Sent]:
    """Return packets, each of a connection of its own."""
    dice = Dice(seed + 1_000_000)
    # No two packets of neighbouring seeds share a connection.
    sents = [_packet(dice, hook, 1024 + (seed * count + number) % 60_000) for number in range(count)]
    return [in_other_family(sent) if family == 6 else sent for sent in sents]


def in_other_family(sent: Sent) -> Sent:
    """The packet that plays the same part over IPv6."""
    source, destination = in_family(sent.source, 6), in_family(sent.destination, 6)
    if sent.icmp[0] == 13 and sent.sport % 2:
        return sent._replace(source=source, destination=destination, icmp=(135, 0))  # which is never tracked
    return sent._replace(
        source=source, destination=destination, icmp=(icmp_type(sent.icmp[0], 6), sent.icmp[1])
    )


def _packet(dice: Dice, hook: str, sport: int) -> Sent:
    return Sent(
        dice.choice(DESTINATIONS if hook == "prerouting" else DESTINATIONS[:4]),
        dice.choice(["tcp", "tcp", "udp", "udp", "icmp"]),
        sport,
        dice.choice(PORTS),
        flags=dice.choice(["SYN", "SYN", "ACK"]),
        icmp=dice.choice([(8, 0), (13, 0)]),
        ttl=dice.choice([64, 64, 64, 5, 1]),
        tos=dice.choice([0, 0x10, 0x28]),
        payload=dice.choice([0, 0, 20]),
        source=CLIENT if hook == "prerouting" else ROUTER[1],
    )
