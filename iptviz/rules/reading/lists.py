"""Lists that the kernel keeps: ipsets, and the addresses that `-m recent` has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import Test
from iptviz.rules.reading.words import QUOTED, opaque, option_test
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.numbers import read_uint

if TYPE_CHECKING:
    from iptviz.grammar.parts import Match
    from iptviz.rules.operands import RecentList
    from iptviz.xtables.option import Option

_ASKING = ("--set", "--rcheck", "--update", "--remove")
_COUNTING = {"--update-counters", "--update-subcounters"}


def _value(match: Match, name: str) -> str | None:
    option = match.option(name)
    return option.values[0] if option and option.values else None


def recent(match: Match) -> list[Test]:
    """Whether the source, or the destination, was seen, how long ago and how often.

    Test: `RecentList`, also for `--set`, which records an address and then matches.
    """
    named = _value(match, "--name")
    name = "DEFAULT" if named is None else named
    option = next(filter(None, map(match.option, _ASKING)), None)
    if option is None:
        return [opaque(match.text())]
    kind = "recent-set" if option.name == "--set" else "recent"
    return [Test(kind, _recent_list(match, option, name), option.negated, name, part=match.text())]


def _recent_list(match: Match, option: Option, name: str) -> RecentList:
    from iptviz.rules.operands import RecentList

    mask, hits = _value(match, "--mask"), _value(match, "--hitcount")
    network = None if mask is None else parse_network(mask)
    left_out = {option, match.option("--name")}
    return RecentList(
        name=name,
        asking=option.name.removeprefix("--"),
        to_destination=match.option("--rdest") is not None,
        mask=network.value if network else None,
        hits=0 if hits is None else read_uint(hits),
        timed=match.option("--seconds") is not None,
        same_ttl=match.option("--rttl") is not None,
        # How long ago and how often are part of the question: two rules may ask differently of one list.
        details=" ".join(other.text() for other in match.options if other not in left_out),
    )


OWN_COUNTERS = frozenset({"ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts"})
"""The counting objects that kube-proxy makes, all without a quota (pkg/proxy/iptables/proxier.go, metrics.go)."""


def nfacct(match: Match) -> list[Test]:
    """Count a packet; what a counter with a quota says hangs on what came before (xt_nfacct.c).

    Such a one matches nothing until its quota is used up, one without matches all; no dump tells which is which.
    """
    return [
        option_test(QUOTED, match, option) for option in match.options if option.values[0] not in OWN_COUNTERS
    ]


def ipset(match: Match) -> list[Test]:
    """Whether the packet is in a set; what is counted per entry is not read. Test: `SetMember`."""
    nomatch = match.option("--return-nomatch") is not None
    return [
        _member(match, option, return_nomatch=nomatch)
        if option.name == "--match-set"
        else opaque(f"-m set {option.text()}")._replace(part=match.text())
        for option in match.options
        if option.name not in {"--return-nomatch", *_COUNTING}
    ]


def _member(match: Match, option: Option, *, return_nomatch: bool) -> Test:
    from iptviz.rules.operands import SetMember

    name, *ends = option.values
    directions = tuple(ends[0].split(",")) if ends else ()
    details = " ".join((*ends, *(["--return-nomatch"] if return_nomatch else [])))
    member = SetMember(name, directions, return_nomatch, details)
    return Test("set", member, option.negated, name, part=match.text())
