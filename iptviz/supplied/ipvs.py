"""The virtual servers of IPVS and where they lead, as `ipvsadm -Ln` or `ipvsadm -Sn` prints them.

A scheduler of the kernel picks a real server for each new connection. rr takes them in turn, wrr by their
weights; both leave out those of weight 0 (ip_vs_rr.c, ip_vs_wrr.c). What others pick depends on more.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.lines import places
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.supplied.lines import SourceLine

_HINT = "pass the output of `ipvsadm -Ln` or `ipvsadm -Sn`"
_PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "FWM": "fwmark"}
_FLAGS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp", "-f": "fwmark"}
_VIRTUAL = re.compile(r"(TCP|UDP|SCTP|FWM)\s+(\S+)(?:\s+IPv6)?(?:\s+(.*))?", re.ASCII)
_REAL = re.compile(r"->\s+(\S+)(?:\s+(.*))?", re.ASCII)
_PERSISTENT = re.compile(r"persistent (\d{1,9})|-p (\d{1,9})", re.ASCII)
_FORWARDED = {"Masq": "masq", "Route": "route", "Tunnel": "tunnel", "Local": "local"}
_FORWARDING = {"-m": "masq", "-g": "route", "-i": "tunnel"}
_ALONE = frozenset({"lc", "wlc", "sh", "dh", "mh", "sed", "nq", "lblc", "lblcr", "twos"})
"""Schedulers that leave nobody without a server where the only one there is has a weight."""
_NOT_READ = re.compile(r"IP Virtual Server version |Prot |-> RemoteAddress", re.ASCII)


class RealServer(NamedTuple):
    """Where connections may be sent, as `address:port`; its weight, None where the text does not show it.

    `forward` is how packets get there: `masq` (with another destination), `route`, `tunnel` or `local`; empty
    where the text, of statistics, does not show it. `line` is counted from 1.
    """

    end: str
    weight: int | None
    forward: str = ""
    line: int = 0


class VirtualServer(NamedTuple):
    """What IPVS takes connections at.

    `at` is `address:port`, or a mark where the protocol is `fwmark`. `scheduler` is empty where the text, of
    statistics, does not show it. `persistent` are the seconds for which a client keeps its server, if it does.
    """

    protocol: str
    at: str
    scheduler: str
    persistent: int | None
    servers: tuple[RealServer, ...]
    line: int

    @property
    def address(self) -> str:
        """The address, a name where the text has one, empty for a mark."""
        return "" if self.protocol == "fwmark" else split_endpoint(self.at)[0]

    @property
    def port(self) -> int | None:
        """The port, None where the text has a name for it, or none."""
        return None if self.protocol == "fwmark" else split_endpoint(self.at)[1]

    @property
    def shares(self) -> tuple[Fraction, ...] | None:
        """The share of new connections that each server gets, in [0, 1]; None where it is not known.

        Where all have weight 0, nobody gets any. The only server there is gets all, whatever picks it.
        """
        weights = [server.weight for server in self.servers]
        alone = len(weights) == 1 and self.scheduler in _ALONE
        if None in weights or not (alone or self.scheduler in {"rr", "wrr"}):
            return None
        parts = [min(weight or 0, 1) if self.scheduler == "rr" else weight or 0 for weight in weights]
        return tuple(Fraction(part, sum(parts) or 1) for part in parts)


def read_ipvs(text: str, source: str) -> tuple[VirtualServer, ...]:
    """Read all virtual servers.

    Raises:
        DumpError: a line is neither a virtual server nor a real one.
    """
    found: list[VirtualServer] = []
    for place, line in places(text, source):
        if _NOT_READ.match(line):
            continue
        virtual = _virtual(line, place)
        if virtual is not None:
            found.append(virtual)
        elif (server := _real(line, place)) is not None and found:
            found[-1] = found[-1]._replace(servers=(*found[-1].servers, server))
        else:
            raise place.error(f"neither a virtual nor a real server: {quoted(line)}", _HINT)
    return tuple(_together(found))


def _together(found: list[VirtualServer]) -> Iterator[VirtualServer]:
    """Yield each virtual server once: a later listing of it, such as its statistics, says the same again."""
    seen: dict[tuple[str, str], VirtualServer] = {}
    for one in found:
        key = one.protocol, one.at
        if key not in seen or (not seen[key].scheduler and one.scheduler):
            seen[key] = one
    yield from seen.values()


def _virtual(line: str, place: SourceLine) -> VirtualServer | None:
    words = line.split()
    if words[0] == "-A" and len(words) > 2 and words[1] in _FLAGS:
        scheduler = words[words.index("-s") + 1] if "-s" in words[:-1] else "wlc"  # ipvsadm's own default
        return VirtualServer(_FLAGS[words[1]], words[2], scheduler, _persistent(line), (), place.line)
    listed = _VIRTUAL.fullmatch(line)
    if listed is None:
        return None
    rest = (listed[3] or "").split()
    scheduler = rest[0] if rest and not rest[0][0].isdigit() else ""
    return VirtualServer(_PROTOCOLS[listed[1]], listed[2], scheduler, _persistent(line), (), place.line)


def _persistent(line: str) -> int | None:
    found = _PERSISTENT.search(line)
    return int(found[1] or found[2]) if found else None


def _real(line: str, place: SourceLine) -> RealServer | None:
    """Read `-> 10.244.0.5:8080 Masq 1 0 0`, a row of statistics, or `-a -t VIRTUAL -r 10.244.0.5:8080 -w 1`."""
    words = line.split()
    if words[0] == "-a" and "-r" in words[:-1]:
        weight = words[words.index("-w") + 1] if "-w" in words[:-1] else "1"
        forward = next((_FORWARDING[word] for word in words if word in _FORWARDING), "route")  # the default
        number = _number(weight)
        return RealServer(words[words.index("-r") + 1], number, "" if number is None else forward, place.line)
    listed = _REAL.fullmatch(line)
    if listed is None:
        return None
    rest = (listed[2] or "").split()
    forward = _FORWARDED.get(rest[0], "") if len(rest) > 1 else ""
    return RealServer(listed[1], _number(rest[1]) if forward else None, forward, place.line)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
