"""Matches of every kind with random options, as somebody may write them: each is asked alone."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from tests.kernel.frames import CLIENT
from tests.kernel.universe import in_family

if TYPE_CHECKING:
    from collections.abc import Callable

Dice = random.Random

_SOURCES = [CLIENT, "10.1.0.0/24", "10.0.0.0/8", "10.1.0.9", "10.2.0.1"]
_DESTINATIONS = ["10.2.0.0/24", "10.2.0.2", "10.3.0.1", "10.2.0.1", "10.1.0.1", "10.2.0.2/31", "10.1.0.255"]
_TYPES = ["UNICAST", "LOCAL", "BROADCAST", "MULTICAST", "ANYCAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT"]
_STATES = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "SNAT", "DNAT"]
_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"]
_PROTOCOLS = [
    "tcp",
    "udp",
    "icmp",
    "sctp",
    "dccp",
    "udplite",
    "esp",
    "ah",
    "gre",
    "ipcomp",
    "all",
    "41",
    "60",
]
_PORTED = ["tcp", "udp", "sctp", "dccp"]
_MULTIPORTED = [*_PORTED, "udplite"]


def _some(dice: Dice, every: list[str], most: int = 3) -> str:
    return ",".join(dice.sample(every, dice.randint(1, min(most, len(every)))))


def _port(dice: Dice) -> str:
    return dice.choice(["80", "81", "443", "80:100", ":100", "100:", "1024:60000", "1000"])


def _number(dice: Dice, last: int) -> str:
    return str(dice.choice([0, 1, 2, 40, 63, 64, last // 2, last]))


def _span(dice: Dice) -> str:
    first = dice.choice([0, 20, 28, 40, 48, 60, 64, 68, 80])
    return dice.choice([f"{first}", f"{first}:", f":{first}", f"{first}:{first + dice.choice([0, 8, 100])}"])


def _tcp_flags(dice: Dice) -> str:
    return f"{_some(dice, _FLAGS, 6)} {_some(dice, [*_FLAGS, 'NONE'][:6], 2)}"


def _ported(dice: Dice) -> str:
    protocol = dice.choice(_PORTED)
    return f"-p {protocol} -m {protocol} {{}} --{dice.choice(['sport', 'dport'])} {_port(dice)}"


def _multiport(dice: Dice) -> str:
    ports = ",".join(dice.sample(["80", "81", "443", "1000", "1024:60000", "1:79"], dice.randint(1, 4)))
    side = dice.choice(["sports", "dports", "ports"])
    return f"-p {dice.choice(_MULTIPORTED)} -m multiport {{}} --{side} {ports}"


def _conntrack(dice: Dice) -> str:
    return "-m conntrack {} " + dice.choice([
        f"--ctstate {_some(dice, _STATES)}", f"--ctstate {_some(dice, _STATES)}",
        f"--ctproto {dice.choice(['6', '17', '1', '132', '58'])}",
        f"--ctorigsrc {dice.choice(_SOURCES)}", f"--ctorigdst {dice.choice(_DESTINATIONS)}",
        f"--ctreplsrc {dice.choice(_DESTINATIONS)}", f"--ctrepldst {dice.choice(_SOURCES)}",
        f"--ctorigsrcport {_port(dice)}", f"--ctorigdstport {_port(dice)}",
        f"--ctreplsrcport {_port(dice)}", f"--ctrepldstport {_port(dice)}",
        f"--ctstatus {_some(dice, ['NONE', 'EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'])}",
        "--ctexpire 1:1000",
    ])  # fmt: skip


def _two_of_conntrack(dice: Dice) -> str:
    second = dice.choice(
        ["--ctdir ORIGINAL", "--ctdir REPLY", "! --ctstate NEW", "--ctorigdst 10.2.0.2", "--ctproto 6"]
    )
    return f"-m conntrack {{}} --ctrepldst {dice.choice(_SOURCES)} {second}"


def _icmp(dice: Dice) -> str:
    return f"-p icmp -m icmp {{}} --icmp-type {dice.choice(['8', '8/0', '13', '0', '8/1', 'any'])}"


def _addrtype(dice: Dice) -> str:
    limit = dice.choice(["", "", "", " --limit-iface-in"])
    return f"-m addrtype {{}} --{dice.choice(['src', 'dst'])}-type {_some(dice, _TYPES)}{limit}"


def _time(dice: Dice) -> str:
    return "-m time " + dice.choice(
        ["--timestart 00:00 --timestop 23:59:59", "--weekdays Mon,Tue", "--datestart 2038-01-01"]
    )


def _limit(dice: Dice) -> str:
    mode = dice.choice(["srcip", "dstip,dstport", "srcip,srcport"])
    return dice.choice([
        f"-m limit --limit {dice.choice(['1/second', '5/min', '3/hour'])} --limit-burst {dice.choice([1, 5])}",
        f"-m hashlimit --hashlimit-upto 1/sec --hashlimit-burst 1 --hashlimit-mode {mode} --hashlimit-name h{dice.random()}"[:130],
        f"-m hashlimit --hashlimit-above 1/sec --hashlimit-burst 1 --hashlimit-mode {mode} --hashlimit-name h{dice.random()}"[:130],
    ])  # fmt: skip


def _connections(dice: Dice) -> str:
    return dice.choice([
        f"-m connlimit --connlimit-{dice.choice(['above', 'upto'])} {dice.choice([0, 1, 100])}",
        f"-m connbytes {{}} --connbytes {dice.choice([':10', '10:', '0:'])} --connbytes-mode packets --connbytes-dir both",
        "-m connlabel {} --label 1", "-m helper {} --helper ftp",
        f"-m connmark {{}} --mark {dice.choice(['0x0', '0x1', '0x0/0x4000'])}",
    ])  # fmt: skip


_RECENT = [
    "--set",
    "--rcheck",
    "--update",
    "--remove",
    "--rcheck --seconds 60",
    "--rcheck --rdest",
    "--set --rdest",
]
_BYTES = [
    "-m u32 {} --u32 0>>22=0x11", "-m string --algo bm {} --string GET", '-m bpf --bytecode "1,6 0 0 65535"',
    "-m string --algo kmp --from 20 {} --string index",
]  # fmt: skip
_LINKS = ["-m physdev {} --physdev-is-in", "-m physdev {} --physdev-is-bridged", "-m devgroup {} --src-group 0",
          "-m rpfilter --loose", "-m rpfilter --loose --invert", "-m socket", "-m cpu {} --cpu 0", "-m realm {} --realm 0",
          "-m policy --dir in --pol none", "-m quota {} --quota 100"]  # fmt: skip
_SIX = ["-m ipv6header {} --header frag --soft", "-m ipv6header {} --header hop", "-m frag {} --fragid 0",
        "-m rt {} --rt-type 3", "-m hbh {} --hbh-len 8", "-m dst {} --dst-len 8", "-m eui64", "-m srh",
        "-p ipv6-icmp -m icmp6 {} --icmpv6-type 128/0", "-p ipv6-icmp -m icmp6 {} --icmpv6-type neighbour-solicitation",
        "-m ah {} --ahspi 80", "-m icmp6 -p ipv6-icmp {} --icmpv6-type 143"]  # fmt: skip

_SETS = """create hosts hash:ip family inet
add hosts 10.2.0.2
add hosts 10.1.0.2
create nets hash:net family inet
add nets 10.2.0.0/24
add nets 10.2.0.3/32 nomatch
create pairs hash:ip,port family inet
add pairs 10.2.0.2,tcp:80
add pairs 10.2.0.2,udp:81
add pairs 10.2.0.3,sctp:443
add pairs 10.2.0.2,icmp:8/0
add pairs 10.1.0.2,icmp:13/0
create triples hash:ip,port,net family inet
add triples 10.1.0.2,tcp:80,10.2.0.0/24
add triples 10.1.0.2,udp:81,10.2.0.2/31
create ports bitmap:port range 0-65535
add ports 80
add ports 443
create either list:set
add either hosts
add either nets
"""
_DIRECTIONS = {
    "hosts": ["src", "dst"], "nets": ["src", "dst", "dst --return-nomatch"], "pairs": ["dst,dst", "src,src", "src,dst"],
    "triples": ["src,dst,dst"], "ports": ["src", "dst"], "either": ["src", "dst"],
}  # fmt: skip


def sets(family: int) -> str:
    """Return what `ipset restore` takes, for the matches that ask for sets."""
    if family == 4:
        return _SETS
    text = _SETS.replace("family inet", "family inet6").replace("icmp:8/0", "icmpv6:128/0")
    return in_family(text.replace("icmp:13/0", "icmpv6:135/0"), 6)


def _set(dice: Dice) -> str:
    name = dice.choice(list(_DIRECTIONS))
    return f"-m set {{}} --match-set {name} {dice.choice(_DIRECTIONS[name])}"


MATCHES: list[Callable[[Dice], str]] = [
    lambda dice: f"{{}} -s {dice.choice(_SOURCES)}",
    lambda dice: f"{{}} -d {dice.choice(_DESTINATIONS)}",
    lambda dice: f"{{}} -p {dice.choice(_PROTOCOLS)}",
    lambda dice: f"{{}} -i {dice.choice(['cli', 'c+', 'srv', 'lo', 'cl'])}",
    lambda dice: f"{{}} -o {dice.choice(['srv', 's+', 'cli', 'lo'])}",
    _ported, _ported, _multiport, _multiport, _set, _set, _conntrack, _conntrack, _conntrack, _two_of_conntrack, _icmp,
    _addrtype, _addrtype, _time, _limit, _connections, _connections,
    lambda dice: f"-p tcp -m tcp {{}} --tcp-flags {_tcp_flags(dice)}",
    lambda dice: f"-p tcp -m tcp {{}} {dice.choice(['--syn', '--tcp-option 2', '--tcp-option 4'])}",
    lambda dice: f"-p tcp -m tcpmss {{}} --mss {dice.choice(['1460', '1:600', '0'])}",
    lambda dice: f"-p sctp -m sctp {{}} --chunk-types {dice.choice(['any INIT', 'all DATA', 'only INIT'])}",
    lambda dice: f"-p dccp -m dccp {{}} --dccp-types {dice.choice(['REQUEST', 'DATA'])}",
    lambda dice: f"-p esp -m esp {{}} --espspi {dice.choice(['80', '81:443', '0'])}",
    lambda dice: f"-p ah -m ah {{}} --ahspi {dice.choice(['80', '81:443', '0'])}",
    lambda dice: f"-m mark {{}} --mark {dice.choice(['0x0', '0x1', '0x0/0xff', '0x4000/0x4000'])}",
    lambda dice: f"-m state {{}} --state {_some(dice, _STATES[:5])}",
    lambda dice: f"-m iprange {{}} {dice.choice(['--src-range 10.1.0.1-10.1.0.3', '--dst-range 10.2.0.2-10.2.0.9'])}",
    lambda dice: f"-m length {{}} --length {_span(dice)}",
    lambda dice: f"-m ttl {{}} --ttl-eq {_number(dice, 255)}",
    lambda dice: f"-m ttl --ttl-{dice.choice(['lt', 'gt'])} {_number(dice, 255)}",
    lambda dice: f"-m tos {{}} --tos {dice.choice(['0x10/0x3f', '0x00', '0x28/0xff', 'Minimize-Delay', '0x03/0x03'])}",
    lambda dice: f"-m dscp {{}} {dice.choice(['--dscp 0x0a', '--dscp 0', '--dscp-class AF11', '--dscp-class EF'])}",
    lambda dice: f"-m ecn {{}} --ecn-ip-ect {dice.randint(0, 3)}",
    lambda dice: f"-p tcp -m ecn {{}} --ecn-tcp-{dice.choice(['cwr', 'ece'])}",
    lambda dice: f"-m mac {{}} --mac-source 02:00:00:00:00:0{dice.randint(1, 2)}",
    lambda dice: f"-m pkttype {{}} --pkt-type {dice.choice(['unicast', 'broadcast', 'multicast'])}",
    lambda dice: f"-m owner {{}} {dice.choice(['--uid-owner 0', '--uid-owner 1-9', '--gid-owner 0', '--socket-exists'])}",
    lambda dice: f"-m statistic --mode random {{}} --probability {dice.choice(['0', '1', '0.5'])}",
    lambda dice: f"-m statistic --mode nth {{}} --every {dice.choice([1, 2, 3])} --packet 0",
    lambda dice: f"-m recent --name r{dice.randint(0, 10**9)} {{}} {dice.choice(_RECENT)}",
    lambda dice: dice.choice(_BYTES),
    lambda dice: dice.choice(_LINKS),
    lambda dice: dice.choice(_SIX),
    lambda _dice: "-m comment --comment words", lambda _dice: "{} -f",
]  # fmt: skip


_COMES, _LEAVES = {"PREROUTING", "INPUT", "FORWARD"}, {"FORWARD", "OUTPUT", "POSTROUTING"}
_CHAINS = {
    r"(! )?-i |-m mac|--limit-iface-in": _COMES, r"(! )?-o ": _LEAVES, "-m owner": {"OUTPUT", "POSTROUTING"},
    "-m rpfilter": {"PREROUTING"}, "-m (socket|policy)": {"PREROUTING", "INPUT", "FORWARD"},
    ".*--physdev-is-bridged": {"FORWARD"}, "-m realm": _LEAVES | {"INPUT"},
    "-m devgroup": _COMES,
}  # fmt: skip
_FAMILIES = {
    r"(! )?-f$|-m realm|-p icmp -m icmp .*any|--(src|dst)-type .*(B|UNR|PRO)": 4,
    "^-m (ipv6header|frag|rt|hbh|dst|eui64|srh|icmp6|ah)|-p ipv6-icmp": 6,
}
"""Which chains, and which family, take a match: others refuse it."""


def random_match(dice: Dice, family: int, chain: str) -> str:
    """Return options of a rule of a chain; a few of them no kernel takes, or not every one."""
    return in_family(random_words(dice, family, chain), family)


def random_words(dice: Dice, family: int, chain: str) -> str:
    """Return such options in the words of the world, which `in_family` translates."""
    while True:
        text = " ".join(dice.choice(MATCHES)(dice).format("!" if dice.random() < 0.3 else "").split())
        chains = (some for pattern, some in _CHAINS.items() if re.search(pattern, text))
        families = (some for pattern, some in _FAMILIES.items() if re.search(pattern, text))
        if all(chain in some for some in chains) and all(family == some for some in families):
            return text
